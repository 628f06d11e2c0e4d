-- What a conversation keeps beyond its plain messages: folded state of entries, versions, mentions, blocks, scheduled messages.

-- reply_seq: the entry quoted; its excerpt is read from that row. mentions: users named by a message or an edit. reactions: the folded
-- [{emoji, count, users}] of a message, so that a page only concatenates. edit_seq: seq of the last edit, the only one that keeps a body.
alter table entry
  add column reply_seq bigint,
  add column mentions text[],
  add column reactions jsonb,
  add column pinned_at timestamptz(3),
  add column expires_at timestamptz(3),
  add column edit_seq bigint;
-- What the expiry job looks for; entries without an expiry are not in it.
create index entry_expiry on entry (expires_at) where expires_at is not null and redacted_at is null;

-- The first ten who reacted with an emoji, without reading all who did.
create index reaction_order on reaction (conversation_id, seq, emoji, created_at, user_id);

-- What an edit replaced, for moderators. edit_seq: the edit that replaced it. A redaction deletes all versions of its target.
create table entry_version (
  conversation_id uuid not null,
  seq bigint not null,
  edit_seq bigint not null,
  body jsonb not null,
  mentions text[],
  written_at timestamptz(3) not null,
  primary key (conversation_id, seq, edit_seq),
  foreign key (conversation_id, seq) references entry);

-- One row per user mentioned, in the order in which a member's own are counted: those above a read position are one range.
-- No foreign key, for the reason given at entry.
create table mention (
  conversation_id uuid not null,
  user_id text collate "C" not null,
  seq bigint not null,
  expires_at timestamptz(3),
  primary key (conversation_id, user_id, seq));

alter table conversation
  add column avatar_url text,
  add column retention_s integer not null default 0 check (retention_s >= 0);
create index conversation_retention on conversation (id) where retention_s > 0;

alter table outbox drop constraint outbox_kind_check;
alter table outbox add constraint outbox_kind_check check (kind in ('append', 'read', 'hide', 'block'));

-- ---------------------------------------------------------------- user, by user id
alter table chat_user
  add column presence_visibility text not null default 'everyone' check (presence_visibility in ('everyone', 'nobody'));

-- Both sides of a block, each in its own user's group: 'blocks' at who blocks, 'blocked_by' at who is blocked.
create table block (
  app_id text collate "C" not null,
  user_id text collate "C" not null,
  kind text not null check (kind in ('blocks', 'blocked_by')),
  other_id text collate "C" not null,
  created_at timestamptz(3) not null,
  primary key (app_id, user_id, kind, other_id),
  foreign key (app_id, user_id) references chat_user);

-- A message that waits for its time. The row goes when it has been sent; one that was refused stays with the reason.
create table scheduled (
  app_id text collate "C" not null,
  user_id text collate "C" not null,
  id uuid not null,
  conversation_id uuid not null,
  client_msg_id text collate "C" not null,
  content_hash bytea not null,
  type text collate "C" not null,
  body jsonb not null,
  extra jsonb,
  countable boolean not null,
  send_at timestamptz(3) not null,
  created_at timestamptz(3) not null,
  failed_code text,
  primary key (app_id, user_id, id),
  unique (app_id, user_id, conversation_id, client_msg_id),
  foreign key (app_id, user_id) references chat_user);
