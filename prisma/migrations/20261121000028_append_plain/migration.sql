-- Plain messages, which nearly all are, no longer pay for the others: without an op in the call no window looks for one, and without
-- anything extra the insert does not ask for it. Same arguments, same answers; about 4 % less CPU for 50 messages of one conversation.
-- See 20261121000008_append_messages for what the function promises.
create or replace function append_entries_v2(
  p_route uuid, p_outbox uuid, p_app text[], p_conv uuid[], p_sender text[], p_cmid text[], p_hash bytea[], p_type text[], p_body jsonb[],
  p_target bigint[], p_countable boolean[], p_mode text[], p_extra jsonb[])
returns table (ord integer, status text, seq bigint, created_at text, member_version bigint, member_count integer,
  conversation_type text, retry_at text, read_seq bigint, touched jsonb)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_changes constant text[] := array['conversation.updated', 'member.put', 'member.remove', 'member.transfer', 'member.mute', 'member.ban', 'member.unban'];
  v_ops constant text[] := v_changes || array['message.edited', 'message.redacted', 'reaction.added', 'reaction.removed', 'message.pinned', 'message.unpinned'];
  v_now timestamptz; v_ids uuid[]; v_has_op boolean; r record; i integer;
  v_status text[]; v_seq bigint[]; v_no bigint[]; v_at timestamptz[]; v_mv bigint[]; v_mc integer[]; v_type text[]; v_retry timestamptz[];
  v_lead boolean[]; v_read bigint[]; v_ok bigint; v_heads jsonb := '[]'; v_members jsonb := '[]'; v_touched jsonb[]; v_late boolean[];
begin
  v_has_op := not p_type <@ array['message'] and p_type && v_ops;
  -- 1. Wait: conversations in id order, then member rows in (conversation_id, user_id) order. The batched read update locks in the
  --    same order and takes no conversation lock, so the two cannot deadlock.
  select array_agg(distinct x) into v_ids from unnest(p_conv) x;
  perform 1 from conversation c where c.id = any (v_ids) order by c.id for no key update;
  perform 1 from (
      select u.conv, u.usr from unnest(p_conv, p_sender) u (conv, usr)
      union
      select u.conv, u.body ->> 'userId' from unnest(p_conv, p_type, p_body) u (conv, type, body) where v_has_op and starts_with(u.type, 'member.')
      order by 1, 2) w
    cross join lateral (
      select from member m where m.conversation_id = w.conv and m.user_id = w.usr offset 0 for no key update) m;
  v_now := date_trunc('milliseconds', clock_timestamp());
  -- Where an op is, the first input of the conversation is the only one that is judged. Null as a whole without ops: windows cost.
  if v_has_op then
    select array_agg(x.with_op and x.place > 1 order by x.ord) into v_late from (
      select u.ord, bool_or(u.type = any (v_ops)) over (partition by u.app, u.conv) as with_op,
        row_number() over (partition by u.app, u.conv order by u.ord) as place
      from unnest(p_app, p_conv, p_type) with ordinality u (app, conv, type, ord)) x;
  end if;

  -- 2. Judge, in a new statement: its snapshot is younger than every lock wait above.
  select array_agg(z.status order by z.ord), array_agg(z.seq order by z.ord), array_agg(z.no order by z.ord), array_agg(z.at order by z.ord),
      array_agg(z.member_version order by z.ord), array_agg(z.member_count order by z.ord), array_agg(z.type order by z.ord),
      array_agg(z.retry_at order by z.ord), array_agg(z.lead order by z.ord),
      array_agg(z.read_after order by z.ord), count(*) filter (where z.status = 'ok')
    into v_status, v_seq, v_no, v_at, v_mv, v_mc, v_type, v_retry, v_lead, v_read, v_ok
  from (
    select y.*, coalesce(max(y.seq) filter (where y.lead) over (partition by y.conv, y.sender), y.read_seq) as read_after
    from (
      -- lead: the message belongs to the leading run of its conversation in this call that is all one sender's who stood at the
      -- head before; such a message moves the sender's read position, every other one counts as own and unread.
      select x.*, x.status = 'ok' and x.read_seq = x.last_seq
          and bool_and(x.sender = x.first_sender and x.mode = 'interactive') over (partition by x.conv, x.status = 'ok' order by x.ord) as lead,
        case when x.status = 'ok' then x.last_seq + x.n else x.dup_seq end as seq,
        case when x.status = 'ok' then x.message_count + x.k end as no,
        case when x.status = 'ok' then v_now else x.dup_at end as at
      from (
        select w.*,
          count(*) filter (where w.status = 'ok') over (partition by w.conv order by w.ord) as n,
          count(*) filter (where w.status = 'ok' and w.countable) over (partition by w.conv order by w.ord) as k,
          first_value(w.sender) over (partition by w.conv, w.status = 'ok' order by w.ord) as first_sender
        from (
          -- slow mode looks only at inputs that would otherwise be written: a duplicate before a new message does not slow it
          select v.*,
            case when v.judged <> 'ok' then v.judged
              when v.slowed and v.last_sent_at > v_now - make_interval(secs => v.slow_mode_s) then 'slow_mode'
              when v.slowed and row_number() over (partition by v.conv, v.sender, v.judged = 'ok' and v.slowed order by v.ord) > 1 then 'slow_mode'
              else 'ok' end as status,
            case when v.judged = 'ok' and v.slowed then
              make_interval(secs => v.slow_mode_s)
                + case when v.last_sent_at > v_now - make_interval(secs => v.slow_mode_s) then v.last_sent_at else v_now end end as retry_at
          from (
            select t.*,
              case when t.known is null then 'not_found'
                when t.late then 'repeat'
                when t.op and t.dup_seq is null then 'op'
                when t.dup_seq is not null then case when t.content_hash is not distinct from t.hash then 'duplicate' else 'conflict' end
                when t.verdict <> 'ok' then t.verdict
                when t.cmid is not null and row_number() over (partition by t.conv, t.sender, t.cmid, t.known order by t.ord) > 1 then 'repeat'
                when t.extra is not null then judge_extra(t.conv, t.sender, t.extra)
                else 'ok' end as judged,
              t.slow_mode_s > 0 and t.role = 'member' and t.mode in ('interactive', 'scheduled') as slowed
            from (
              select u.ord, u.conv, u.sender, u.cmid, u.hash, u.countable, u.mode, u.extra, v_has_op and u.type = any (v_ops) as op,
                c.id as known, c.type, c.last_seq, c.message_count, c.member_version, c.member_count, c.slow_mode_s,
                m.role, m.last_sent_at, m.read_seq, e.created_at as dup_at, e.content_hash,
                -- changes of members and of the conversation are idempotent by nature: their clientMsgId is not looked at
                case when v_has_op and u.type = any (v_changes) then null else e.seq end as dup_seq,
                judge_message_v2(c.type, c.frozen_at, m.role, m.left_seq, m.banned_until, m.muted_until, m.blocked_at, u.mode, v_now) as verdict,
                u.late
              from unnest(p_app, p_conv, p_sender, p_cmid, p_hash, p_type, p_countable, p_mode, p_extra, v_late)
                with ordinality u (app, conv, sender, cmid, hash, type, countable, mode, extra, late, ord)
              -- one lookup per input and table, whatever the planner believes: offset 0 keeps the laterals from becoming joins
              left join lateral (select * from conversation c where c.id = u.conv and c.app_id = u.app offset 0) c on true
              left join lateral (select * from member m where m.conversation_id = c.id and m.user_id = u.sender offset 0) m on true
              left join lateral (select * from entry e where e.conversation_id = c.id and e.sender_id = u.sender and e.client_msg_id = u.cmid
                offset 0) e on true) t) v) w) x) y) z;

  -- 3. Write.
  if v_ok > 0 then
    if p_extra is null then
      insert into entry (conversation_id, seq, type, sender_id, client_msg_id, content_hash, message_no, countable, target_seq, body, created_at)
        select u.conv, u.seq, u.type, u.sender, u.cmid, u.hash, u.no, u.countable, u.target, u.body, v_now
        from unnest(p_conv, v_seq, p_type, p_sender, p_cmid, p_hash, v_no, p_countable, p_target, p_body, v_status)
          u (conv, seq, type, sender, cmid, hash, no, countable, target, body, status)
        where u.status = 'ok';
    else
      insert into entry (conversation_id, seq, type, sender_id, client_msg_id, content_hash, message_no, countable, target_seq, body, created_at,
          reply_seq, mentions, expires_at)
        select u.conv, u.seq, u.type, u.sender, u.cmid, u.hash, u.no, u.countable, u.target, u.body, v_now,
          (u.extra ->> 'replyTo')::bigint, mention_list(u.extra -> 'mentions'), v_now + make_interval(secs => (u.extra ->> 'expiresInSeconds')::int)
        from unnest(p_conv, v_seq, p_type, p_sender, p_cmid, p_hash, v_no, p_countable, p_target, p_body, v_status, p_extra)
          u (conv, seq, type, sender, cmid, hash, no, countable, target, body, status, extra)
        where u.status = 'ok';
      insert into mention (conversation_id, user_id, seq, expires_at)
        select u.conv, x.id, u.seq, v_now + make_interval(secs => (u.extra ->> 'expiresInSeconds')::int)
        from unnest(p_conv, p_sender, v_seq, v_status, p_extra) u (conv, sender, seq, status, extra)
        cross join lateral unnest(mention_list(u.extra -> 'mentions')) x (id)
        where u.status = 'ok' and x.id <> u.sender;
    end if;
    update conversation c set last_seq = g.seq, message_count = g.no, last_entry_at = v_now,
        last_message_seq = coalesce(g.message_seq, c.last_message_seq)
      from (select u.conv, max(u.seq) as seq, max(u.no) as no, max(u.seq) filter (where u.countable) as message_seq
            from unnest(p_conv, v_seq, v_no, p_countable, v_status) u (conv, seq, no, countable, status) where u.status = 'ok' group by u.conv) g
      where c.id = g.conv;
    update member m set read_seq = coalesce(g.seq, m.read_seq), read_count = coalesce(g.no, m.read_count), own_unread = m.own_unread + g.own,
        last_sent_at = case when g.by_itself then v_now else m.last_sent_at end
      from (select u.conv, u.sender, max(u.seq) filter (where u.lead) as seq, max(u.no) filter (where u.lead) as no,
              count(*) filter (where u.countable and not u.lead) as own, bool_or(u.mode in ('interactive', 'scheduled')) as by_itself
            from unnest(p_conv, p_sender, v_seq, v_no, p_countable, v_lead, p_mode, v_status) u (conv, sender, seq, no, countable, lead, mode, status)
            where u.status = 'ok' group by u.conv, u.sender) g
      where m.conversation_id = g.conv and m.user_id = g.sender;
    select jsonb_agg(jsonb_build_array(h.app, h.conv, h.seq)) into v_heads
      from (select u.app, u.conv, max(u.seq) as seq from unnest(p_app, p_conv, v_seq, v_status) u (app, conv, seq, status)
            where u.status = 'ok' group by u.app, u.conv) h;
  end if;
  if v_has_op then
    v_touched := array_fill(null::jsonb, array[cardinality(v_status)]);
    for i in 1 .. cardinality(v_status) loop
      continue when v_status[i] <> 'op';
      if p_type[i] = any (v_changes) then
        if p_type[i] = 'conversation.updated' then
          select * into r from append_conversation_update(p_conv[i], p_sender[i], p_body[i], p_mode[i], v_now);
        else
          select * into r from append_member_change_v2(p_conv[i], p_sender[i], p_type[i], p_body[i], p_mode[i], v_now);
          v_touched[i] := to_jsonb(r.touched);
        end if;
        v_mv[i] := r.member_version;
        v_mc[i] := r.member_count;
      else
        select * into r from append_message_act(
          p_conv[i], p_sender[i], p_cmid[i], p_hash[i], p_type[i], p_target[i], p_body[i], p_extra[i], p_mode[i], v_now);
      end if;
      v_status[i] := r.status;
      v_seq[i] := r.seq;
      if r.status = 'ok' then
        v_ok := v_ok + 1;
        v_at[i] := v_now;
        v_heads := v_heads || jsonb_build_array(jsonb_build_array(p_app[i], p_conv[i], r.seq));
        v_members := v_members || coalesce(
          (select jsonb_agg(jsonb_build_array(p_app[i], p_conv[i], x.id)) from jsonb_array_elements_text(v_touched[i]) x (id)), '[]');
      end if;
    end loop;
  end if;
  if v_ok > 0 then
    insert into outbox (conversation_id, id, created_at, kind, payload, next_at) values (p_route, p_outbox, v_now, 'append',
      jsonb_build_object('heads', v_heads) || case when v_members = '[]' then '{}' else jsonb_build_object('members', v_members) end, v_now);
  end if;
  return query
    select u.ord::int, u.status, u.seq, rfc3339(u.at), u.mv, u.mc, u.type, case when u.status = 'slow_mode' then rfc3339(u.retry) end, u.read,
      u.touched
    from unnest(v_status, v_seq, v_at, v_mv, v_mc, v_type, v_retry, v_read, v_touched)
      with ordinality u (status, seq, at, mv, mc, type, retry, read, touched, ord);
end $$;

alter function append_entries_v2 set lock_timeout = '250ms';
alter function append_entries_v2 set enable_seqscan = off;
alter function append_entries_v2 set enable_bitmapscan = off;
alter function append_entries_v2 set enable_hashjoin = off;
alter function append_entries_v2 set enable_mergejoin = off;
alter function append_entries_v2 set enable_memoize = off;
alter function append_entries_v2 set jit = off;
alter function append_entries_v2 set plan_cache_mode = force_generic_plan;
