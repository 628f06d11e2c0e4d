-- Tables. Each belongs to one group, named by the column that would distribute it: reference, conversation
-- (conversation_id), user (user_id), app (app_id). That column is NOT NULL, never updated, and part of the primary key, of
-- every unique constraint and of every foreign key; foreign keys stay inside a group or point to a reference table.
-- tests/integration/db/catalogue.test.ts reads pg_catalog and fails when a table breaks this.
--
-- Identifiers compare by bytes (collate "C"): cheaper, and an upgrade of the C library cannot reorder their indexes.
-- Times have millisecond precision (timestamptz(3)): what is stored is exactly what the wire shows, so a time works as a cursor.

-- ---------------------------------------------------------------- reference
create table app (
  id text collate "C" primary key,
  name text not null,
  settings jsonb not null default '{}',
  epoch integer not null default 1,
  created_at timestamptz(3) not null default now());

-- kid is the full key id of the wire ("<appId>.<n>"). hs256 keeps a secret, rs256 and es256 a public key (PEM), server a hash.
create table app_key (
  app_id text collate "C" not null references app,
  kid text collate "C" not null,
  kind text not null check (kind in ('hs256', 'rs256', 'es256', 'server')),
  secret text,
  public_key text,
  secret_hash bytea,
  scopes text[] not null default '{}',
  retired_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  primary key (app_id, kid));

-- ---------------------------------------------------------------- conversation, by conversation id
-- last_seq: head of the log. message_count: countable entries so far. last_message_seq: newest countable entry (preview).
-- member_version grows with every membership change. oldest_seq: first seq still kept. The row is rewritten by every append:
-- fillfactor leaves room for HOT updates, and no index stands on a column that an append changes.
create table conversation (
  id uuid primary key,
  app_id text collate "C" not null references app,
  type text not null check (type in ('direct', 'group', 'channel')),
  title text,
  metadata jsonb,
  created_by text collate "C" not null,
  created_at timestamptz(3) not null,
  last_seq bigint not null default 0,
  message_count bigint not null default 0,
  last_message_seq bigint,
  member_count integer not null default 0,
  member_version bigint not null default 0,
  last_entry_at timestamptz(3) not null,
  frozen_at timestamptz(3),
  slow_mode_s integer not null default 0 check (slow_mode_s >= 0),
  history text not null default 'full' check (history in ('full', 'since_join')),
  oldest_seq bigint not null default 1) with (fillfactor = 80);
-- no unique (app_id, direct key): the id of a direct conversation is derived from app and pair, so the primary key is that constraint

-- A row is kept after leaving (left_seq not null). read_count: message_no at read_seq. own_unread: one's own countable entries
-- above read_seq. unread = conversation.message_count - read_count - own_unread. hidden_seq: a direct conversation hidden while
-- its head is not above it. changed_seq: seq of the entry that last changed this membership, the feed's src_version.
-- What append judges (role, ban, mute, block) lives here and changes only under the conversation's row lock.
create table member (
  conversation_id uuid not null references conversation,
  user_id text collate "C" not null,
  app_id text collate "C" not null,
  role text not null default 'member' check (role in ('owner', 'moderator', 'member')),
  joined_seq bigint not null,
  left_seq bigint,
  read_seq bigint not null default 0,
  read_count bigint not null default 0,
  own_unread bigint not null default 0,
  delivered_seq bigint not null default 0,
  muted_until timestamptz(3),
  banned_until timestamptz(3),
  blocked_at timestamptz(3),
  last_sent_at timestamptz(3),
  hidden_seq bigint,
  changed_seq bigint not null,
  primary key (conversation_id, user_id)) with (fillfactor = 80);

-- The log. message_no: countable entries up to and including this one, so that the read_count of any seq is one lookup.
-- target_seq, state_seq, edited_at, redacted_at belong to acting entries (edits, reactions, pins).
-- No foreign key to conversation: every writer holds the conversation's row lock in the same transaction and nothing deletes a
-- conversation; the check fired once per entry and took a fifth of a batch (README, "Measured").
create table entry (
  conversation_id uuid not null,
  seq bigint not null,
  type text collate "C" not null,
  sender_id text collate "C" not null,
  client_msg_id text collate "C",
  content_hash bytea,
  message_no bigint not null,
  countable boolean not null,
  target_seq bigint,
  state_seq bigint,
  body jsonb,
  created_at timestamptz(3) not null,
  edited_at timestamptz(3),
  redacted_at timestamptz(3),
  primary key (conversation_id, seq),
  unique (conversation_id, sender_id, client_msg_id));

-- Two indexes begin with conversation_id, and while every conversation has one entry they look alike to the planner: a clientMsgId
-- would be looked up by entry_pkey, which reads the whole log once it has grown. Told that all rows may belong to one conversation,
-- the planner never takes an index that does not narrow it down further.
alter table entry alter column conversation_id set (n_distinct = 1);

create table reaction (
  conversation_id uuid not null,
  seq bigint not null,
  user_id text collate "C" not null,
  emoji text collate "C" not null,
  created_at timestamptz(3) not null,
  primary key (conversation_id, seq, user_id, emoji),
  foreign key (conversation_id, seq) references entry);

create table pin (
  conversation_id uuid not null,
  seq bigint not null,
  pinned_by text collate "C" not null,
  created_at timestamptz(3) not null,
  primary key (conversation_id, seq),
  foreign key (conversation_id, seq) references entry);

-- What still has to be published or mirrored. Rows live for milliseconds; next_at is created_at until a row is deferred. Vacuum is
-- tuned by count, because the table is empty most of the time and a scale factor of nothing never fires.
create table outbox (
  conversation_id uuid not null,
  id uuid not null,
  created_at timestamptz(3) not null,
  kind text not null check (kind in ('append', 'read', 'hide')),
  payload jsonb not null,
  attempts integer not null default 0,
  next_at timestamptz(3) not null,
  primary key (conversation_id, id)) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index outbox_next_at on outbox (next_at);

-- ---------------------------------------------------------------- user, by user id (the app is part of the key, not of the distribution)
create table chat_user (
  app_id text collate "C" not null references app,
  id text collate "C" not null,
  display_name text,
  avatar_url text,
  metadata jsonb,
  feed_version bigint not null default 0,
  tokens_valid_after timestamptz(3),
  banned_until timestamptz(3),
  shadow_banned_at timestamptz(3),
  deleted_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  primary key (app_id, id)) with (fillfactor = 80);

create table device (
  app_id text collate "C" not null,
  user_id text collate "C" not null,
  device_id text collate "C" not null,
  push jsonb,
  created_at timestamptz(3) not null default now(),
  last_seen_at timestamptz(3),
  primary key (app_id, user_id, device_id),
  foreign key (app_id, user_id) references chat_user);

-- Compacted: one row per subject, its newest state. version: the user's feed_version when the row last changed.
-- src_version: what orders states of one subject (see the wire contract), so that mirrors may arrive in any order.
create table feed (
  app_id text collate "C" not null,
  user_id text collate "C" not null,
  subject text collate "C" not null,
  version bigint not null,
  src_version bigint not null,
  state jsonb not null,
  primary key (app_id, user_id, subject),
  foreign key (app_id, user_id) references chat_user);
create index feed_version on feed (app_id, user_id, version);
alter table feed alter column user_id set (n_distinct = 1); -- as for entry

-- ---------------------------------------------------------------- app, by app id: low rate
create table app_log (
  app_id text collate "C" primary key references app,
  last_seq bigint not null default 0);

create table app_entry (
  app_id text collate "C" not null references app_log,
  seq bigint not null,
  type text collate "C" not null,
  body jsonb not null,
  created_at timestamptz(3) not null,
  primary key (app_id, seq));

-- ---------------------------------------------------------------- shared expressions
-- RFC 3339 UTC with exactly three decimals; inlined by the planner.
create function rfc3339(t timestamptz) returns text language sql stable parallel safe
  return to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
