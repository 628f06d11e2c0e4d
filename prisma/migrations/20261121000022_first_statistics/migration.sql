-- Statistics from the first minute on. A plan is cached by the first call of a function in a session, and until the first ANALYZE of
-- autovacuum, about a minute after the first rows, the planner only guesses: two indexes that begin alike looked equal, an entry was looked up
-- by its clientMsgId through entry_pkey, and each send read the whole log (7,000 sends a second fell to 200).
-- An empty database therefore gets the statistics of a small one: rows, ANALYZE, TRUNCATE. TRUNCATE keeps what pg_statistic says of the columns
-- (above all n_distinct) and makes the size unknown again, which the planner takes for ten pages. A database in use is analyzed as it is.
do $$
begin
  if not exists (select from conversation) and not exists (select from chat_user) then
    insert into app (id, name) values ('$sample', 'sample');
    insert into conversation (id, app_id, type, created_by, created_at, last_seq, message_count, member_count, member_version, last_entry_at)
      select gen_random_uuid(), '$sample', 'group', 'user1', now(), 3, 2, 3, 1, now() - n * interval '1 s' from generate_series(1, 20) n;
    insert into member (conversation_id, user_id, app_id, joined_seq, changed_seq)
      select c.id, 'user' || n, '$sample', 1, 1 from conversation c cross join generate_series(1, 3) n;
    insert into entry (conversation_id, seq, type, sender_id, client_msg_id, message_no, countable, body, created_at)
      select c.id, n, 'message', 'user' || n, gen_random_uuid(), n, true, '{"text":"hello"}', now() from conversation c cross join generate_series(1, 3) n;
    insert into reaction select id, 1, 'user1', 'x', now() from conversation;
    insert into pin select id, 1, 'user1', now() from conversation;
    insert into mention select id, 'user1', 2, null from conversation;
    insert into entry_version select id, 1, 2, '{}', null, now() from conversation;
    insert into outbox (conversation_id, id, created_at, kind, payload, next_at)
      select id, gen_random_uuid(), now(), 'append', '{"heads":[]}', now() from conversation;
    insert into chat_user (app_id, id) select '$sample', 'user' || n from generate_series(1, 20) n;
    insert into feed (app_id, user_id, subject, version, src_version, state) select '$sample', id, 'member/x', 1, 1, '{}' from chat_user;
    insert into block select '$sample', id, 'blocks', 'user0', now() from chat_user;
    insert into scheduled (app_id, user_id, id, conversation_id, client_msg_id, content_hash, type, body, countable, send_at, created_at)
      select '$sample', id, gen_random_uuid(), gen_random_uuid(), id, '', 'message', '{}', true, now() + interval '1 year', now() from chat_user;
    analyze conversation, member, entry, reaction, pin, mention, entry_version, outbox, chat_user, feed, block, scheduled;
    truncate conversation, member, entry, reaction, pin, mention, entry_version, outbox, chat_user, device, feed, block, scheduled;
    delete from app where id = '$sample';
  else
    analyze conversation, member, entry, reaction, pin, mention, entry_version, outbox, chat_user, feed, block, scheduled;
  end if;
end $$;
