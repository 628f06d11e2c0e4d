-- restricted_at: when tokens_valid_after or banned_until last changed, either way. Whoever changes one sets it (prisma/src/sql/revocation.ts).
-- Every process asks every few seconds who was restricted lately; most users never are, so the index holds only those that were.
alter table chat_user add column restricted_at timestamptz(3);
update chat_user set restricted_at = now() where tokens_valid_after is not null or banned_until is not null;
create index chat_user_restricted on chat_user (restricted_at, app_id, id) where restricted_at is not null;
