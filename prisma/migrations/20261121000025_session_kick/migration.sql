-- Sessions that were ended from elsewhere, for gateways that the bus did not reach: each asks every few seconds for what is new. Rows are of no use
-- after a minute; whoever adds one takes out some that are older (prisma/src/sql/session-kicks.ts).
-- session_id: the one that ends, null for all of the user's that began before `at`. except_id: the one that stays.
create table session_kick (
  app_id text not null,
  user_id text not null,
  id uuid not null,
  session_id text,
  except_id text,
  at timestamptz(3) not null,
  constraint session_kick_pkey primary key (app_id, user_id, id)
);
create index session_kick_at on session_kick (at, app_id, user_id, id);
