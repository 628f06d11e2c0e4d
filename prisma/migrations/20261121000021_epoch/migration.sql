-- Reference. The cluster that app.epoch is true of: one row. A restored backup brings this row along but runs on another timeline (or, loaded
-- into a new cluster, under another system identifier), and that is how it is noticed. Written at the first start and by `nudge epoch`.
create table database_identity (
  id boolean primary key default true check (id),
  system_identifier text not null,
  timeline integer not null,
  recorded_at timestamptz(3) not null default now());
