-- The append. Everything that adds an entry to a conversation goes through append_one or append_entries, so the invariants of the
-- log (gapless, ordered by commit, idempotent, judged with the state under the lock) have one home.

-- Judges one plain message of one sender; null role = no current membership. The caller has already answered not_found, duplicate
-- and conflict, and adds slow_mode, which depends on the other inputs of its call.
-- What a mode skips:
--   interactive  nothing
--   scheduled    slow_mode (its sender waits elsewhere)
--   on_behalf    the channel's role rule, frozen, muted, slow_mode (the integrator speaks); never membership or the ban
--   admin        as on_behalf for messages; member.put and member.remove need no actor membership and no role of the actor
create function judge_message(
  c_type text, c_frozen_at timestamptz, m_role text, m_left_seq bigint, m_banned_until timestamptz, m_muted_until timestamptz,
  p_mode text, p_now timestamptz) returns text language sql immutable parallel safe
  return case
    when m_role is null or m_left_seq is not null then 'not_member'
    when c_type = 'channel' and m_role = 'member' and p_mode in ('interactive', 'scheduled') then 'forbidden'
    when m_banned_until > p_now then 'banned'
    when c_frozen_at is not null and m_role = 'member' and p_mode in ('interactive', 'scheduled') then 'frozen'
    when m_muted_until > p_now and p_mode in ('interactive', 'scheduled') then 'muted'
    else 'ok' end;

-- One plain message. p_route is its conversation: scalar equality on the group's column everywhere.
create function append_one(
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

  select m.role, m.left_seq, m.muted_until, m.banned_until, m.last_sent_at, m.read_seq, e.seq as dup_seq, e.created_at as dup_at, e.content_hash
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
  status := judge_message(c.type, c.frozen_at, j.role, j.left_seq, j.banned_until, j.muted_until, p_mode, v_now);
  if status = 'ok' and c.slow_mode_s > 0 and j.role = 'member' and p_mode = 'interactive'
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
      last_sent_at = case when p_mode = 'interactive' then v_now else m.last_sent_at end
    where m.conversation_id = p_route and m.user_id = p_sender
    returning m.read_seq into read_seq;
  insert into outbox (conversation_id, id, created_at, kind, payload, next_at)
    values (p_route, p_outbox, v_now, 'append', jsonb_build_object('heads', jsonb_build_array(jsonb_build_array(p_app, p_route, v_seq))), v_now);
  seq := v_seq;
  created_at := rfc3339(v_now);
end $$;

-- One membership change of one conversation, whose row and both member rows the caller (append_entries) holds locked.
-- Not for use by itself: it writes no outbox row. p_args: {"userId", "role"?}.
create function append_member_change(
  p_conv uuid, p_actor text, p_type text, p_args jsonb, p_mode text, p_now timestamptz,
  out status text, out seq bigint, out member_version bigint, out member_count integer)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  c record; a record; m record;
  v_user text := p_args ->> 'userId';
  v_role text := p_args ->> 'role';
  v_admin boolean := p_mode = 'admin';
  v_rank constant jsonb := '{"owner": 3, "moderator": 2, "member": 1}';
  v_current boolean; v_last_owner boolean; v_entry_type text; v_body jsonb; v_delta integer := 0;
begin
  select * into c from conversation where id = p_conv;
  member_version := c.member_version;
  member_count := c.member_count;
  select * into a from member where conversation_id = p_conv and user_id = p_actor;
  if not v_admin then
    if a.user_id is null or a.left_seq is not null then status := 'not_member'; return; end if;
    if a.banned_until > p_now then status := 'banned'; return; end if;
  end if;
  if c.type = 'direct' then status := 'forbidden'; return; end if;
  select * into m from member where conversation_id = p_conv and user_id = v_user;
  v_current := m.user_id is not null and m.left_seq is null;
  v_last_owner := v_current and m.role = 'owner' and not exists (
    select from member o where o.conversation_id = p_conv and o.role = 'owner' and o.left_seq is null and o.user_id <> v_user);
  seq := c.last_seq + 1;

  if p_type = 'member.put' then
    if v_current and (v_role is null or v_role = m.role) then status := 'unchanged'; seq := null; return; end if;
    if m.banned_until > p_now then status := 'forbidden'; seq := null; return; end if;
    if not v_admin and not (a.role = 'owner' or (a.role = 'moderator' and not v_current and coalesce(v_role, 'member') = 'member')) then
      status := 'forbidden'; seq := null; return;
    end if;
    if v_last_owner then status := 'last_owner'; seq := null; return; end if;
    v_role := coalesce(v_role, 'member');
    if v_current then
      v_entry_type := 'member.updated';
      update member set role = v_role, changed_seq = c.last_seq + 1 where conversation_id = p_conv and user_id = v_user;
    else
      v_entry_type := 'member.joined';
      v_delta := 1;
      insert into member (conversation_id, user_id, app_id, role, joined_seq, read_seq, read_count, delivered_seq, changed_seq)
        values (p_conv, v_user, c.app_id, v_role, c.last_seq + 1, c.last_seq + 1, c.message_count, c.last_seq + 1, c.last_seq + 1)
        on conflict (conversation_id, user_id) do update set
          role = excluded.role, joined_seq = excluded.joined_seq, left_seq = null, read_seq = excluded.read_seq, read_count = excluded.read_count,
          own_unread = 0, delivered_seq = excluded.delivered_seq, hidden_seq = null, changed_seq = excluded.changed_seq;
    end if;
    v_body := jsonb_build_object('userId', v_user, 'role', v_role, 'by', p_actor);
  elsif p_type = 'member.remove' then
    if not v_current then status := 'unchanged'; seq := null; return; end if;
    if not v_admin and p_actor <> v_user and (v_rank ->> a.role)::int <= (v_rank ->> m.role)::int then status := 'forbidden'; seq := null; return; end if;
    if v_last_owner and c.member_count > 1 then status := 'last_owner'; seq := null; return; end if;
    v_entry_type := 'member.left';
    v_delta := -1;
    v_body := jsonb_build_object('userId', v_user, 'by', p_actor, 'reason', case when p_actor = v_user and not v_admin then 'left' else 'removed' end);
    update member set left_seq = c.last_seq + 1, changed_seq = c.last_seq + 1 where conversation_id = p_conv and user_id = v_user;
  else
    raise exception 'unknown membership change %', p_type using errcode = '22023';
  end if;

  insert into entry (conversation_id, seq, type, sender_id, message_no, countable, body, created_at)
    values (p_conv, c.last_seq + 1, v_entry_type, '$system', c.message_count, false, v_body, p_now);
  update conversation set last_seq = c.last_seq + 1, last_entry_at = p_now,
      member_count = c.member_count + v_delta, member_version = c.member_version + 1
    where id = p_conv
    returning member_version, member_count into member_version, member_count;
  status := 'ok';
end $$;

-- Many inputs, many conversations, one transaction. All conversations of a call share p_route's group; p_route is one of them.
-- Inputs are judged blind to each other, therefore: an input that is not a plain message is the only one of its conversation in a
-- call, and a clientMsgId that appears twice counts once; the others come back as 'repeat' and the caller sends them again.
-- An absent clientMsgId is never a repeat.
-- Every table is reached by equality on its group's column. A distributed body adds "and <that column> = any (v_ids)" to each of them
-- to prune shards; on one PostgreSQL that predicate leaves a sixteenth of the rate in a hot log (README, "Measured").
create function append_entries(
  p_route uuid, p_outbox uuid, p_app text[], p_conv uuid[], p_sender text[], p_cmid text[], p_hash bytea[], p_type text[], p_body jsonb[],
  p_target bigint[], p_countable boolean[], p_mode text[])
returns table (ord integer, status text, seq bigint, created_at text, member_version bigint, member_count integer,
  conversation_type text, retry_at text, read_seq bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_now timestamptz; v_ids uuid[]; v_has_op boolean; r record; i integer;
  v_status text[]; v_seq bigint[]; v_no bigint[]; v_at timestamptz[]; v_mv bigint[]; v_mc integer[]; v_type text[]; v_retry timestamptz[];
  v_lead boolean[]; v_read bigint[]; v_ok bigint; v_heads jsonb := '[]'; v_members jsonb := '[]';
begin
  v_has_op := p_type && array['member.put', 'member.remove'];
  -- 1. Wait: conversations in id order, then member rows in (conversation_id, user_id) order. The batched read update locks in the
  --    same order and takes no conversation lock, so the two cannot deadlock.
  select array_agg(distinct x) into v_ids from unnest(p_conv) x;
  perform 1 from conversation c where c.id = any (v_ids) order by c.id for no key update;
  perform 1 from (
      select u.conv, u.usr from unnest(p_conv, p_sender) u (conv, usr)
      union
      select u.conv, u.body ->> 'userId' from unnest(p_conv, p_type, p_body) u (conv, type, body) where v_has_op and u.type in ('member.put', 'member.remove')
      order by 1, 2) w
    cross join lateral (
      select from member m where m.conversation_id = w.conv and m.user_id = w.usr offset 0 for no key update) m;
  v_now := date_trunc('milliseconds', clock_timestamp());

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
                when t.with_op and t.place > 1 then 'repeat'
                when t.op then 'op'
                when t.dup_seq is not null then case when t.content_hash is not distinct from t.hash then 'duplicate' else 'conflict' end
                when t.verdict <> 'ok' then t.verdict
                when t.cmid is not null and row_number() over (partition by t.conv, t.sender, t.cmid, t.known order by t.ord) > 1 then 'repeat'
                else 'ok' end as judged,
              t.slow_mode_s > 0 and t.role = 'member' and t.mode = 'interactive' as slowed
            from (
              select u.ord, u.conv, u.sender, u.cmid, u.hash, u.countable, u.mode, u.type in ('member.put', 'member.remove') as op,
                c.id as known, c.type, c.last_seq, c.message_count, c.member_version, c.member_count, c.slow_mode_s,
                m.role, m.last_sent_at, m.read_seq, e.seq as dup_seq, e.created_at as dup_at, e.content_hash,
                judge_message(c.type, c.frozen_at, m.role, m.left_seq, m.banned_until, m.muted_until, u.mode, v_now) as verdict,
                v_has_op and bool_or(u.type in ('member.put', 'member.remove')) over (partition by c.id) as with_op,
                row_number() over (partition by c.id order by u.ord) as place
              from unnest(p_app, p_conv, p_sender, p_cmid, p_hash, p_type, p_countable, p_mode)
                with ordinality u (app, conv, sender, cmid, hash, type, countable, mode, ord)
              -- one lookup per input and table, whatever the planner believes: offset 0 keeps the laterals from becoming joins
              left join lateral (select * from conversation c where c.id = u.conv and c.app_id = u.app offset 0) c on true
              left join lateral (select * from member m where m.conversation_id = c.id and m.user_id = u.sender offset 0) m on true
              left join lateral (select * from entry e where e.conversation_id = c.id and e.sender_id = u.sender and e.client_msg_id = u.cmid
                offset 0) e on true) t) v) w) x) y) z;

  -- 3. Write.
  if v_ok > 0 then
    insert into entry (conversation_id, seq, type, sender_id, client_msg_id, content_hash, message_no, countable, target_seq, body, created_at)
      select u.conv, u.seq, u.type, u.sender, u.cmid, u.hash, u.no, u.countable, u.target, u.body, v_now
      from unnest(p_conv, v_seq, p_type, p_sender, p_cmid, p_hash, v_no, p_countable, p_target, p_body, v_status)
        u (conv, seq, type, sender, cmid, hash, no, countable, target, body, status)
      where u.status = 'ok';
    update conversation c set last_seq = g.seq, message_count = g.no, last_entry_at = v_now,
        last_message_seq = coalesce(g.message_seq, c.last_message_seq)
      from (select u.conv, max(u.seq) as seq, max(u.no) as no, max(u.seq) filter (where u.countable) as message_seq
            from unnest(p_conv, v_seq, v_no, p_countable, v_status) u (conv, seq, no, countable, status) where u.status = 'ok' group by u.conv) g
      where c.id = g.conv;
    update member m set read_seq = coalesce(g.seq, m.read_seq), read_count = coalesce(g.no, m.read_count), own_unread = m.own_unread + g.own,
        last_sent_at = case when g.interactive then v_now else m.last_sent_at end
      from (select u.conv, u.sender, max(u.seq) filter (where u.lead) as seq, max(u.no) filter (where u.lead) as no,
              count(*) filter (where u.countable and not u.lead) as own, bool_or(u.mode = 'interactive') as interactive
            from unnest(p_conv, p_sender, v_seq, v_no, p_countable, v_lead, p_mode, v_status) u (conv, sender, seq, no, countable, lead, mode, status)
            where u.status = 'ok' group by u.conv, u.sender) g
      where m.conversation_id = g.conv and m.user_id = g.sender;
    select jsonb_agg(jsonb_build_array(h.app, h.conv, h.seq)) into v_heads
      from (select u.app, u.conv, max(u.seq) as seq from unnest(p_app, p_conv, v_seq, v_status) u (app, conv, seq, status)
            where u.status = 'ok' group by u.app, u.conv) h;
  end if;
  if v_has_op then
    for i in 1 .. cardinality(v_status) loop
      continue when v_status[i] <> 'op';
      select * into r from append_member_change(p_conv[i], p_sender[i], p_type[i], p_body[i], p_mode[i], v_now);
      v_status[i] := r.status;
      v_seq[i] := r.seq;
      v_mv[i] := r.member_version;
      v_mc[i] := r.member_count;
      if r.status = 'ok' then
        v_ok := v_ok + 1;
        v_at[i] := v_now;
        v_heads := v_heads || jsonb_build_array(jsonb_build_array(p_app[i], p_conv[i], r.seq));
        v_members := v_members || jsonb_build_array(jsonb_build_array(p_app[i], p_conv[i], p_body[i] ->> 'userId'));
      end if;
    end loop;
  end if;
  if v_ok > 0 then
    insert into outbox (conversation_id, id, created_at, kind, payload, next_at) values (p_route, p_outbox, v_now, 'append',
      jsonb_build_object('heads', v_heads) || case when v_members = '[]' then '{}' else jsonb_build_object('members', v_members) end, v_now);
  end if;
  return query
    select u.ord::int, u.status, u.seq, rfc3339(u.at), u.mv, u.mc, u.type, case when u.status = 'slow_mode' then rfc3339(u.retry) end, u.read
    from unnest(v_status, v_seq, v_at, v_mv, v_mc, v_type, v_retry, v_read) with ordinality u (status, seq, at, mv, mc, type, retry, read, ord);
end $$;

-- Plans are pinned to index lookups: a generic plan made while the tables were small would otherwise stay after they grew.
-- lock_timeout bounds the wait for a hot conversation; the caller moves such a conversation to a lane of its own.
alter function append_one set lock_timeout = '250ms';
alter function append_one set enable_seqscan = off;
alter function append_one set enable_bitmapscan = off;
alter function append_one set plan_cache_mode = force_generic_plan;
alter function append_entries set lock_timeout = '250ms';
alter function append_entries set enable_seqscan = off;
alter function append_entries set enable_bitmapscan = off;
alter function append_entries set enable_hashjoin = off;
alter function append_entries set enable_mergejoin = off;
alter function append_entries set enable_memoize = off;
alter function append_entries set jit = off;
alter function append_entries set plan_cache_mode = force_generic_plan;
