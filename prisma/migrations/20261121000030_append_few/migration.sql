-- append_one as it was, but without an outbox row where p_outbox is null: append_few, below, writes one for all of its messages.
create or replace function append_one(
  p_route uuid, p_outbox uuid, p_app text, p_sender text, p_cmid text, p_hash bytea, p_type text, p_body jsonb, p_target bigint,
  p_countable boolean, p_mode text,
  out status text, out seq bigint, out created_at text, out member_version bigint, out member_count integer,
  out conversation_type text, out retry_at text, out read_seq bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  c record; j record; v_now timestamptz; v_seq bigint; v_no bigint;
begin
  -- The wait. Every later statement of a volatile function takes a fresh snapshot, so what is judged below is what the previous
  -- holder of this lock committed.
  select x.app_id, x.type, x.last_seq, x.message_count, x.member_version, x.member_count, x.frozen_at, x.slow_mode_s into c
    from conversation x where x.id = p_route for no key update;
  if not found or c.app_id <> p_app then
    status := 'not_found';
    return;
  end if;
  member_version := c.member_version;
  member_count := c.member_count;
  conversation_type := c.type;

  select m.role, m.left_seq, m.muted_until, m.banned_until, m.blocked_at, m.last_sent_at, m.read_seq,
      e.seq as dup_seq, e.created_at as dup_at, e.content_hash
    into j
    from (select) one
    left join member m on m.conversation_id = p_route and m.user_id = p_sender
    left join entry e on e.conversation_id = p_route and e.sender_id = p_sender and e.client_msg_id = p_cmid;
  read_seq := j.read_seq;
  if j.dup_seq is not null then
    status := case when j.content_hash is not distinct from p_hash then 'duplicate' else 'conflict' end;
    seq := j.dup_seq;
    created_at := rfc3339(j.dup_at);
    return;
  end if;

  v_now := date_trunc('milliseconds', clock_timestamp());
  status := judge_message_v2(c.type, c.frozen_at, j.role, j.left_seq, j.banned_until, j.muted_until, j.blocked_at, p_mode, v_now);
  if status = 'ok' and c.slow_mode_s > 0 and j.role = 'member' and p_mode in ('interactive', 'scheduled')
     and j.last_sent_at > v_now - make_interval(secs => c.slow_mode_s) then
    status := 'slow_mode';
    retry_at := rfc3339(j.last_sent_at + make_interval(secs => c.slow_mode_s));
  end if;
  if status <> 'ok' then return; end if;

  v_seq := c.last_seq + 1;
  v_no := c.message_count + p_countable::int;
  insert into entry (conversation_id, seq, type, sender_id, client_msg_id, content_hash, message_no, countable, target_seq, body, created_at)
    values (p_route, v_seq, p_type, p_sender, p_cmid, p_hash, v_no, p_countable, p_target, p_body, v_now);
  update conversation set last_seq = v_seq, message_count = v_no, last_entry_at = v_now,
      last_message_seq = case when p_countable then v_seq else last_message_seq end
    where id = p_route;
  -- Whether the sender stood at the head is decided by the row as this update finds it: a read may have moved it meanwhile.
  update member m set
      read_seq = case when p_mode = 'interactive' and m.read_seq = v_seq - 1 then v_seq else m.read_seq end,
      read_count = case when p_mode = 'interactive' and m.read_seq = v_seq - 1 then v_no else m.read_count end,
      own_unread = m.own_unread + case when p_countable and not (p_mode = 'interactive' and m.read_seq = v_seq - 1) then 1 else 0 end,
      last_sent_at = case when p_mode in ('interactive', 'scheduled') then v_now else m.last_sent_at end
    where m.conversation_id = p_route and m.user_id = p_sender
    returning m.read_seq into read_seq;
  if p_outbox is not null then
    insert into outbox (conversation_id, id, created_at, kind, payload, next_at)
      values (p_route, p_outbox, v_now, 'append', jsonb_build_object('heads', jsonb_build_array(jsonb_build_array(p_app, p_route, v_seq))), v_now);
  end if;
  seq := v_seq;
  created_at := rfc3339(v_now);
end $$;
alter function append_one set lock_timeout = '250ms';
alter function append_one set enable_seqscan = off;
alter function append_one set enable_bitmapscan = off;
alter function append_one set plan_cache_mode = force_generic_plan;

-- A few plain messages in one transaction with one outbox row: append_one for each. The statements of append_entries_v2 are large and are
-- set up for every call; below five messages that costs more than the messages do.
-- Locks: conversations in id order, each followed by the senders' member rows of that conversation; so (conversation_id, user_id) ascends
-- over conversations as in append_entries_v2 and mark_read, and a wait never closes a circle: whoever holds a member row of a later
-- conversation waits for none of an earlier one.
-- A clientMsgId that appears twice is the second time a duplicate or a conflict, since the first is stored by then: there is no 'repeat'.
create function append_few(
  p_route uuid, p_outbox uuid, p_app text[], p_conv uuid[], p_sender text[], p_cmid text[], p_hash bytea[], p_type text[], p_body jsonb[],
  p_target bigint[], p_countable boolean[], p_mode text[])
returns table (ord integer, status text, seq bigint, created_at text, member_version bigint, member_count integer,
  conversation_type text, retry_at text, read_seq bigint)
language plpgsql volatile as $$
declare
  i integer; r record; v_app text; v_conv uuid; v_head bigint; v_heads jsonb := '[]'; v_now timestamptz;
begin
  for i in select x.n from unnest(p_conv) with ordinality x (conv, n) order by x.conv, x.n loop
    select * into r from append_one(p_conv[i], null, p_app[i], p_sender[i], p_cmid[i], p_hash[i], p_type[i], p_body[i], p_target[i],
      p_countable[i], p_mode[i]);
    if r.status = 'ok' then
      if v_conv <> p_conv[i] then v_heads := v_heads || jsonb_build_array(jsonb_build_array(v_app, v_conv, v_head)); end if;
      v_app := p_app[i];
      v_conv := p_conv[i];
      v_head := r.seq;
    end if;
    ord := i;
    status := r.status;
    seq := r.seq;
    created_at := r.created_at;
    member_version := r.member_version;
    member_count := r.member_count;
    conversation_type := r.conversation_type;
    retry_at := r.retry_at;
    read_seq := r.read_seq;
    return next;
  end loop;
  if v_conv is not null then
    v_now := date_trunc('milliseconds', clock_timestamp());
    v_heads := v_heads || jsonb_build_array(jsonb_build_array(v_app, v_conv, v_head));
    insert into outbox (conversation_id, id, created_at, kind, payload, next_at)
      values (p_route, p_outbox, v_now, 'append', jsonb_build_object('heads', v_heads), v_now);
  end if;
end $$;

alter function append_few set lock_timeout = '250ms';
alter function append_few set enable_seqscan = off;
alter function append_few set enable_bitmapscan = off;
alter function append_few set plan_cache_mode = force_generic_plan;
