-- Moves read positions: never back, never past the head. One row per input, in the order of the inputs.
-- Of several inputs for one (conversation, user) the highest counts and all are answered.
-- Locks member rows only, in (conversation_id, user_id) order as append does. An append by the same user holds that row until it
-- commits, so once the lock is ours every own entry and own_unread are seen together; appends of others only raise message_count.
create function mark_read(p_route uuid, p_outbox uuid, p_app text[], p_conv uuid[], p_user text[], p_seq bigint[])
returns table (ord integer, status text, read_seq bigint, head bigint, unread bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_now timestamptz; v_reads jsonb;
begin
  perform 1 from (select distinct u.conv, u.usr from unnest(p_conv, p_user) u (conv, usr) order by 1, 2) w
    cross join lateral (
      select from member m where m.conversation_id = w.conv and m.user_id = w.usr offset 0 for no key update) m;
  v_now := date_trunc('milliseconds', clock_timestamp());

  with target as (
    select g.app, g.conv, g.usr, m.read_seq as old_seq, m.own_unread, least(g.seq, c.last_seq) as new_seq, c.last_seq
    from (select u.app, u.conv, u.usr, max(u.seq) as seq from unnest(p_app, p_conv, p_user, p_seq) u (app, conv, usr, seq) group by 1, 2, 3) g
    cross join lateral (select * from conversation c where c.id = g.conv and c.app_id = g.app offset 0) c
    cross join lateral (select * from member m where m.conversation_id = g.conv and m.user_id = g.usr offset 0) m
    where m.left_seq is null and (m.banned_until is null or m.banned_until <= v_now)
  ), moved as (
    update member m set read_seq = t.new_seq,
        read_count = (select e.message_no from entry e where e.conversation_id = t.conv and e.seq = t.new_seq),
        -- own countable entries above the new position; the shorter side of the range is counted, and mostly nothing is
        own_unread = case
          when t.own_unread = 0 or t.new_seq = t.last_seq then 0
          when t.new_seq - t.old_seq <= t.last_seq - t.new_seq then t.own_unread - (
            select count(*) from entry e where e.conversation_id = t.conv and e.seq > t.old_seq and e.seq <= t.new_seq
              and e.sender_id = t.usr and e.countable)
          else (
            select count(*) from entry e where e.conversation_id = t.conv and e.seq > t.new_seq and e.seq <= t.last_seq
              and e.sender_id = t.usr and e.countable) end
      from target t
      where t.new_seq > t.old_seq and m.conversation_id = t.conv and m.user_id = t.usr
      returning t.app, m.conversation_id, m.user_id, m.read_seq
  )
  select jsonb_agg(jsonb_build_array(d.app, d.conversation_id, d.user_id, d.read_seq)) into v_reads from moved d;
  if v_reads is not null then
    insert into outbox (conversation_id, id, created_at, kind, payload, next_at)
      values (p_route, p_outbox, v_now, 'read', jsonb_build_object('reads', v_reads), v_now);
  end if;

  return query
    with changed as (select x.value ->> 0 as app, (x.value ->> 1)::uuid as conv, x.value ->> 2 as usr from jsonb_array_elements(v_reads) x)
    select u.ord::int,
      case when m.user_id is null then 'not_found' when d.conv is null then 'unchanged' else 'ok' end,
      m.read_seq, case when m.user_id is null then null else c.last_seq end, c.message_count - m.read_count - m.own_unread
    from unnest(p_app, p_conv, p_user) with ordinality u (app, conv, usr, ord)
    left join lateral (select * from conversation c where c.id = u.conv and c.app_id = u.app offset 0) c on true
    left join lateral (select * from member m where m.conversation_id = c.id and m.user_id = u.usr and m.left_seq is null
      and (m.banned_until is null or m.banned_until <= v_now) offset 0) m on true
    left join changed d on d.app = u.app and d.conv = u.conv and d.usr = u.usr
    order by u.ord;
end $$;

alter function mark_read set lock_timeout = '250ms';
alter function mark_read set enable_seqscan = off;
alter function mark_read set enable_bitmapscan = off;
alter function mark_read set enable_hashjoin = off;
alter function mark_read set enable_mergejoin = off;
alter function mark_read set enable_memoize = off;
alter function mark_read set jit = off;
alter function mark_read set plan_cache_mode = force_generic_plan;
