-- Read and delivered positions, expiry and retention, blocks and scheduled messages.

-- hide_version grows with every hide and show, so that mirrors of it may arrive in any order.
alter table member add column hide_version bigint not null default 0;
-- Moderators page through the banned without reading who is not; an append touches none of these columns.
create index member_banned on member (conversation_id, user_id) where banned_until is not null;

-- taken_at: the job has begun to send it, so it can no longer be cancelled.
alter table scheduled add column taken_at timestamptz(3);
create index scheduled_due on scheduled (send_at) where failed_code is null;

-- As for entry and feed: of several indexes that begin alike, the one that narrows further is taken.
alter table reaction alter column conversation_id set (n_distinct = 1);
alter table reaction alter column seq set (n_distinct = 1);
alter table scheduled alter column user_id set (n_distinct = 1);

-- ---------------------------------------------------------------- positions
-- As before, and what was read was delivered. Moves read positions: never back, never past the head. One row per input, in the order of the inputs.
-- Of several inputs for one (conversation, user) the highest counts and all are answered.
-- Locks member rows only, in (conversation_id, user_id) order as append does. An append by the same user holds that row until it
-- commits, so once the lock is ours every own entry and own_unread are seen together; appends of others only raise message_count.
create or replace function mark_read(p_route uuid, p_outbox uuid, p_app text[], p_conv uuid[], p_user text[], p_seq bigint[])
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
    update member m set read_seq = t.new_seq, delivered_seq = greatest(m.delivered_seq, t.new_seq),
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

-- Moves delivered positions: never back, never past the head, never needed below the read position. One row per input, in their order.
-- Locks, in the order of mark_read, only the member rows that will move: positions only grow, so one that need not move now never will.
-- No outbox row: others hear of it by an ephemeral receipt, and whoever asks reads the row.
create function mark_delivered(p_route uuid, p_app text[], p_conv uuid[], p_user text[], p_seq bigint[])
returns table (ord integer, status text, delivered_seq bigint, head bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_now timestamptz; v_moved jsonb;
begin
  perform 1 from (select u.conv, u.usr, max(u.seq) as seq from unnest(p_conv, p_user, p_seq) u (conv, usr, seq) group by 1, 2 order by 1, 2) w
    cross join lateral (
      select from member m where m.conversation_id = w.conv and m.user_id = w.usr and greatest(m.delivered_seq, m.read_seq) < w.seq
      offset 0 for no key update) m;
  v_now := date_trunc('milliseconds', clock_timestamp());

  with target as (
    select g.app, g.conv, g.usr, least(g.seq, c.last_seq) as new_seq
    from (select u.app, u.conv, u.usr, max(u.seq) as seq from unnest(p_app, p_conv, p_user, p_seq) u (app, conv, usr, seq) group by 1, 2, 3) g
    cross join lateral (select * from conversation c where c.id = g.conv and c.app_id = g.app offset 0) c
    cross join lateral (select * from member m where m.conversation_id = g.conv and m.user_id = g.usr offset 0) m
    where m.left_seq is null and (m.banned_until is null or m.banned_until <= v_now) and greatest(m.delivered_seq, m.read_seq) < least(g.seq, c.last_seq)
  ), moved as (
    update member m set delivered_seq = t.new_seq from target t where m.conversation_id = t.conv and m.user_id = t.usr
      returning t.app, m.conversation_id, m.user_id
  )
  select jsonb_agg(jsonb_build_array(d.app, d.conversation_id, d.user_id)) into v_moved from moved d;

  return query
    with changed as (select x.value ->> 0 as app, (x.value ->> 1)::uuid as conv, x.value ->> 2 as usr from jsonb_array_elements(v_moved) x)
    select u.ord::int,
      case when m.user_id is null then 'not_found' when d.conv is null then 'unchanged' else 'ok' end,
      greatest(m.delivered_seq, m.read_seq), case when m.user_id is null then null else c.last_seq end
    from unnest(p_app, p_conv, p_user) with ordinality u (app, conv, usr, ord)
    left join lateral (select * from conversation c where c.id = u.conv and c.app_id = u.app offset 0) c on true
    left join lateral (select * from member m where m.conversation_id = c.id and m.user_id = u.usr and m.left_seq is null
      and (m.banned_until is null or m.banned_until <= v_now) offset 0) m on true
    left join changed d on d.app = u.app and d.conv = u.conv and d.usr = u.usr
    order by u.ord;
end $$;

alter function mark_delivered set lock_timeout = '250ms';
alter function mark_delivered set enable_seqscan = off;
alter function mark_delivered set enable_bitmapscan = off;
alter function mark_delivered set enable_hashjoin = off;
alter function mark_delivered set enable_mergejoin = off;
alter function mark_delivered set enable_memoize = off;
alter function mark_delivered set jit = off;
alter function mark_delivered set plan_cache_mode = force_generic_plan;

-- ---------------------------------------------------------------- hidden direct conversations, in order
-- Creates a conversation with its first members and its first entry, or finds that it exists.
-- p_members: without the creator. The caller reads the row with a new statement afterwards.
-- status: created | exists | not_found (the id belongs to another app). unhidden: a direct conversation that its creator had hidden shows again.
create or replace function create_conversation(
  p_route uuid, p_outbox uuid, p_app text, p_type text, p_created_by text, p_members text[], p_title text, p_metadata jsonb, p_history text,
  out status text, out unhidden boolean)
language plpgsql volatile as $$
declare
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_app text; v_type text; v_members text[];
begin
  unhidden := false;
  select coalesce(array_agg(x order by x), '{}') into v_members from (select distinct x from unnest(p_members) x where x <> p_created_by) s;
  -- A concurrent creation of the same id waits here for the first one's commit and then inserts nothing.
  insert into conversation (id, app_id, type, title, metadata, created_by, created_at, last_seq, member_count, member_version, last_entry_at, history)
    values (p_route, p_app, p_type, p_title, p_metadata, p_created_by, v_now, 1, 1 + cardinality(v_members), 1, v_now, p_history)
    on conflict (id) do nothing;
  if not found then
    select c.app_id, c.type into v_app, v_type from conversation c where c.id = p_route;
    if v_app <> p_app then status := 'not_found'; return; end if;
    status := 'exists';
    if v_type = 'direct' then
      update member m set hidden_seq = null, hide_version = m.hide_version + 1 where m.conversation_id = p_route and m.user_id = p_created_by and m.hidden_seq is not null;
      unhidden := found;
      if found then
        insert into outbox (conversation_id, id, created_at, kind, payload, next_at) values (p_route, p_outbox, v_now, 'hide',
          jsonb_build_object('hidden', jsonb_build_array(jsonb_build_array(p_app, p_route, p_created_by))), v_now);
      end if;
    end if;
    return;
  end if;
  insert into member (conversation_id, user_id, app_id, role, joined_seq, read_seq, delivered_seq, changed_seq)
    select p_route, u.id, p_app, case when p_type <> 'direct' and u.id = p_created_by then 'owner' else 'member' end, 1, 1, 1, 1
    from unnest(p_created_by || v_members) u (id);
  insert into entry (conversation_id, seq, type, sender_id, message_no, countable, body, created_at)
    values (p_route, 1, 'conversation.created', '$system', 0, false,
      jsonb_build_object('type', p_type, 'by', p_created_by, 'history', p_history, 'members', to_jsonb(v_members))
        || case when p_title is null then '{}' else jsonb_build_object('title', p_title) end, v_now);
  insert into outbox (conversation_id, id, created_at, kind, payload, next_at) values (p_route, p_outbox, v_now, 'append',
    jsonb_build_object('heads', jsonb_build_array(jsonb_build_array(p_app, p_route, 1)), 'created', p_route), v_now);
  status := 'created';
end $$;

-- Hides a direct conversation from one member until its head passes the present one. Null: no such direct conversation, or not a member.
-- No conversation lock: a message that arrives meanwhile has a higher seq and shows it again, which is what its sender wants.
create or replace function hide_direct(p_route uuid, p_outbox uuid, p_app text, p_user text) returns bigint language plpgsql volatile as $$
declare
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_seq bigint;
begin
  update member m set hidden_seq = c.last_seq, hide_version = m.hide_version + 1
    from conversation c
    where c.id = p_route and c.app_id = p_app and c.type = 'direct'
      and m.conversation_id = p_route and m.user_id = p_user and m.left_seq is null and m.hidden_seq is distinct from c.last_seq
    returning m.hidden_seq into v_seq;
  if not found then
    select m.hidden_seq into v_seq from member m join conversation c on c.id = m.conversation_id
      where c.id = p_route and c.app_id = p_app and c.type = 'direct' and m.conversation_id = p_route and m.user_id = p_user and m.left_seq is null;
    return v_seq;
  end if;
  insert into outbox (conversation_id, id, created_at, kind, payload, next_at) values (p_route, p_outbox, v_now, 'hide',
    jsonb_build_object('hidden', jsonb_build_array(jsonb_build_array(p_app, p_route, p_user))), v_now);
  return v_seq;
end $$;

alter function create_conversation set lock_timeout = '250ms';
alter function create_conversation set plan_cache_mode = force_generic_plan;
alter function hide_direct set lock_timeout = '250ms';
alter function hide_direct set enable_seqscan = off;
alter function hide_direct set plan_cache_mode = force_generic_plan;

-- Applies states to users' feeds. Idempotent and order-free per subject: the newest src_version wins and a state is absolute.
-- p_src null: previous + 1 under the user row's lock (preferences, blocks, notices); a state equal to the present one changes nothing.
-- p_merge: the state is merged shallowly into the present one; a null value removes its key. Of hiddenSeq, which is mirrored from the
-- conversation's side into a state that others merge into as well, the highest hideVersion wins, whenever it arrives.
-- Answers one version per input, null where nothing changed. User rows are locked in (app_id, id) order; missing ones are inserted.
create or replace function apply_feed(p_route text, p_app text[], p_user text[], p_subject text[], p_src bigint[], p_state jsonb[], p_merge boolean[])
returns table (ord integer, version bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_wanted integer; v_found integer; v_version bigint[]; v_round integer := 1; v_rounds integer; r record;
begin
  select count(*) into v_wanted from (select distinct u.app, u.usr from unnest(p_app, p_user) u (app, usr)) s;
  loop
    perform 1 from (select distinct u.app, u.usr from unnest(p_app, p_user) u (app, usr) order by 1, 2) w
      cross join lateral (select from chat_user c where c.app_id = w.app and c.id = w.usr offset 0 for no key update) c;
    get diagnostics v_found = row_count;
    exit when v_found = v_wanted;
    insert into chat_user (app_id, id)
      select distinct u.app, u.usr from unnest(p_app, p_user) u (app, usr) order by 1, 2
      on conflict (app_id, id) do nothing;
  end loop;
  v_version := array_fill(null::bigint, array[cardinality(p_user)]);
  -- One round unless a subject appears more than once in the call; the rounds keep the order of the inputs.
  select max(s.n) into v_rounds from (select count(*) as n from unnest(p_app, p_user, p_subject) u (app, usr, subject) group by u.app, u.usr, u.subject) s;
  while v_round <= v_rounds loop
    for r in
      with input as (
        select u.*, row_number() over (partition by u.app, u.usr, u.subject order by u.ord) as round
        from unnest(p_app, p_user, p_subject, p_src, p_state, p_merge) with ordinality u (app, usr, subject, src, state, merge, ord)
      ), next as (
        select i.ord, i.app, i.usr, i.subject, coalesce(i.src, coalesce(f.src_version, 0) + 1) as src, i.src is null as relative, f.state as old,
          case when i.merge then coalesce((select jsonb_object_agg(x.key, x.value)
              from jsonb_each(coalesce(f.state, '{}')
                || case when (f.state ->> 'hideVersion')::bigint >= (i.state ->> 'hideVersion')::bigint then i.state - array['hiddenSeq', 'hideVersion'] else i.state end) x
              where x.value <> 'null'), '{}') else i.state end as state,
          f.src_version, c.feed_version
        from input i
        cross join lateral (select * from chat_user c where c.app_id = i.app and c.id = i.usr offset 0) c
        left join lateral (select * from feed f where f.app_id = i.app and f.user_id = i.usr and f.subject = i.subject offset 0) f on true
        where i.round = v_round
      ), changed as (
        select n.ord, n.app, n.usr, n.subject, n.src, n.state,
          n.feed_version + row_number() over (partition by n.app, n.usr order by n.ord) as version
        from next n
        where n.src_version is null or (not n.relative and n.src > n.src_version) or (n.relative and n.state is distinct from n.old)
      ), bumped as (
        update chat_user c set feed_version = g.version
          from (select app, usr, max(version) as version from changed group by app, usr) g
          where c.app_id = g.app and c.id = g.usr
      ), written as (
        insert into feed (app_id, user_id, subject, version, src_version, state)
          select h.app, h.usr, h.subject, h.version, h.src, h.state from changed h
          on conflict (app_id, user_id, subject) do update set version = excluded.version, src_version = excluded.src_version, state = excluded.state
      )
      select h.ord, h.version from changed h
    loop
      v_version[r.ord] := r.version;
    end loop;
    v_round := v_round + 1;
  end loop;
  return query select u.ord::int, u.version from unnest(v_version) with ordinality u (version, ord);
end $$;

alter function apply_feed set lock_timeout = '1s';
alter function apply_feed set enable_seqscan = off;
alter function apply_feed set enable_bitmapscan = off;
alter function apply_feed set enable_hashjoin = off;
alter function apply_feed set enable_mergejoin = off;
alter function apply_feed set enable_memoize = off;
alter function apply_feed set jit = off;
alter function apply_feed set plan_cache_mode = force_generic_plan;

-- ---------------------------------------------------------------- expiry and retention
-- Takes what was written out of the entries [p_low, p_high): body, mentions, reactions, quote, versions, pins, and the body that the last
-- edit of each of them carries. What keeps the log whole and idempotent stays. The caller holds the conversation's row lock.
create function wipe_entries(p_conv uuid, p_low bigint, p_high bigint, p_now timestamptz) returns void language plpgsql volatile as $$
#variable_conflict use_column
declare r record;
begin
  delete from entry_version v where v.conversation_id = p_conv and v.seq >= p_low and v.seq < p_high;
  delete from reaction x where x.conversation_id = p_conv and x.seq >= p_low and x.seq < p_high;
  delete from pin x where x.conversation_id = p_conv and x.seq >= p_low and x.seq < p_high;
  for r in
    select e.seq, e.mentions, e.edit_seq from entry e
      where e.conversation_id = p_conv and e.seq >= p_low and e.seq < p_high and (e.mentions is not null or e.edit_seq is not null)
  loop
    delete from mention x where x.conversation_id = p_conv and x.user_id = any (r.mentions) and x.seq = r.seq;
    update entry e set body = null, mentions = null where e.conversation_id = p_conv and e.seq = r.edit_seq;
  end loop;
  update entry e set body = null, mentions = null, reactions = null, reply_seq = null, pinned_at = null,
      redacted_at = coalesce(e.redacted_at, least(e.expires_at, p_now))
    where e.conversation_id = p_conv and e.seq >= p_low and e.seq < p_high;
end $$;

-- Wipes those of the entries named that are due, judged again under their conversations' row locks (taken in id order). Readers see
-- tombstones from the moment of expiry on; this takes away what is behind them. Answers the conversations that were touched.
create function expire_entries(p_route uuid, p_conv uuid[], p_seq bigint[])
returns table (app_id text, conversation_id uuid, member_version bigint, head bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare v_now timestamptz; v_touched uuid[]; r record;
begin
  perform 1 from (select distinct x from unnest(p_conv) x order by x) w
    cross join lateral (select from conversation c where c.id = w.x offset 0 for no key update) c;
  v_now := date_trunc('milliseconds', clock_timestamp());
  for r in
    select u.conv, u.seq from unnest(p_conv, p_seq) u (conv, seq)
      cross join lateral (select from entry e where e.conversation_id = u.conv and e.seq = u.seq and e.redacted_at is null and e.expires_at <= v_now offset 0) e
  loop
    perform wipe_entries(r.conv, r.seq, r.seq + 1, v_now);
    v_touched := v_touched || r.conv;
  end loop;
  return query
    select c.app_id, c.id, c.member_version, c.last_seq from (select distinct x from unnest(v_touched) x) w
      cross join lateral (select * from conversation c where c.id = w.x offset 0) c;
end $$;

-- One step of one conversation's retention: oldest_seq moves to the first entry that is young enough, by p_chunk at most, so that every
-- step leaves the log whole and none holds its lock for long. created_at ascends with seq, so the place is found by bisection.
-- Members who had not read what goes are moved to the edge: what was unread there is unread no more.
-- moved false: nothing was old enough. more: another step is due.
create function retain_conversation(
  p_route uuid, p_chunk integer,
  out moved boolean, out more boolean, out app_id text, out member_version bigint, out head bigint, out oldest_seq bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  c record; v_now timestamptz; v_cut timestamptz; v_at timestamptz; v_low bigint; v_high bigint; v_mid bigint; v_goal bigint; v_no bigint;
begin
  moved := false;
  more := false;
  select x.app_id, x.last_seq, x.oldest_seq, x.retention_s, x.member_version into c from conversation x where x.id = p_route for no key update;
  if not found or c.retention_s = 0 then return; end if;
  v_now := date_trunc('milliseconds', clock_timestamp());
  v_cut := v_now - make_interval(secs => c.retention_s);
  v_low := c.oldest_seq;
  v_high := c.last_seq + 1;
  while v_low < v_high loop
    v_mid := (v_low + v_high) / 2;
    select e.created_at into v_at from entry e where e.conversation_id = p_route and e.seq = v_mid;
    if v_at > v_cut then v_high := v_mid; else v_low := v_mid + 1; end if;
  end loop;
  v_goal := least(v_low, c.oldest_seq + p_chunk);
  if v_goal <= c.oldest_seq then return; end if;

  perform wipe_entries(p_route, c.oldest_seq, v_goal, v_now);
  update conversation set oldest_seq = v_goal where id = p_route;
  select e.message_no into v_no from entry e where e.conversation_id = p_route and e.seq = v_goal - 1;
  perform 1 from member m where m.conversation_id = p_route and m.left_seq is null and m.read_seq < v_goal - 1 order by m.user_id for no key update;
  update member m set read_seq = v_goal - 1, read_count = v_no, delivered_seq = greatest(m.delivered_seq, v_goal - 1),
      own_unread = case when m.own_unread = 0 then 0 else m.own_unread - (
        select count(*) from entry e where e.conversation_id = p_route and e.seq > m.read_seq and e.seq < v_goal
          and e.sender_id = m.user_id and e.countable) end
    where m.conversation_id = p_route and m.left_seq is null and m.read_seq < v_goal - 1;
  moved := true;
  more := v_goal < v_low;
  app_id := c.app_id;
  member_version := c.member_version;
  head := c.last_seq;
  oldest_seq := v_goal;
end $$;

-- ---------------------------------------------------------------- blocks
-- p_user blocks p_other, or no longer does: both users' rows, the feed of who blocks, and what makes the pair's direct conversation
-- (p_conv, which need not exist) follow. Nothing changes when it stood so already, when a user is unknown, for oneself, and when p_user
-- blocks p_bound users already (null: no bound), which the lock makes exact.
-- Locks both user rows in the order of apply_feed.
create function set_block(
  p_route text, p_app text, p_user text, p_other text, p_blocked boolean, p_conv uuid, p_outbox uuid, p_bound integer,
  out changed boolean, out feed_version bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare v_now timestamptz; v_count integer; v_version bigint;
begin
  changed := false;
  if p_user = p_other then return; end if;
  perform 1 from (select x from unnest(array[p_user, p_other]) x order by x) w
    cross join lateral (select from chat_user c where c.app_id = p_app and c.id = w.x offset 0 for no key update) c;
  get diagnostics v_count = row_count;
  if v_count < 2 then return; end if;
  v_now := date_trunc('milliseconds', clock_timestamp());
  if p_blocked then
    if (select count(*) from block b where b.app_id = p_app and b.user_id = p_user and b.kind = 'blocks') >= p_bound then return; end if;
    insert into block (app_id, user_id, kind, other_id, created_at)
      values (p_app, p_user, 'blocks', p_other, v_now), (p_app, p_other, 'blocked_by', p_user, v_now) on conflict do nothing;
    changed := found;
  else
    delete from block b where b.app_id = p_app and b.user_id = p_other and b.kind = 'blocked_by' and b.other_id = p_user;
    delete from block b where b.app_id = p_app and b.user_id = p_user and b.kind = 'blocks' and b.other_id = p_other;
    changed := found;
  end if;
  if not changed then return; end if;
  update chat_user c set feed_version = c.feed_version + 1 where c.app_id = p_app and c.id = p_user returning c.feed_version into v_version;
  insert into feed as f (app_id, user_id, subject, version, src_version, state)
    values (p_app, p_user, 'block/' || p_other, v_version, 1, jsonb_build_object('blocked', p_blocked))
    on conflict (app_id, user_id, subject) do update set version = excluded.version, src_version = f.src_version + 1, state = excluded.state;
  insert into outbox (conversation_id, id, created_at, kind, payload, next_at) values (p_conv, p_outbox, v_now, 'block',
    jsonb_build_object('blocks', jsonb_build_array(jsonb_build_array(p_app, p_conv, p_user, p_other))), v_now);
  feed_version := v_version;
end $$;

-- Writes into a direct conversation what its append judges: who of the two is blocked by the other. Whoever blocks commits first and then
-- calls this, and so does whoever creates the conversation, so the later of the two sees the other. Answers whether a row changed.
create function mirror_block(p_route uuid, p_app text) returns boolean language plpgsql volatile as $$
#variable_conflict use_column
declare v_changed boolean;
begin
  perform 1 from conversation c where c.id = p_route and c.app_id = p_app and c.type = 'direct' for no key update;
  if not found then return false; end if;
  perform 1 from member m where m.conversation_id = p_route order by m.user_id for no key update;
  update member m set blocked_at = w.at
    from (
      select x.user_id, (select b.created_at from block b
        where b.app_id = p_app and b.user_id = x.user_id and b.kind = 'blocked_by' and b.other_id = y.user_id) as at
      from member x join member y on y.conversation_id = p_route and y.user_id <> x.user_id
      where x.conversation_id = p_route offset 0) w
    where m.conversation_id = p_route and m.user_id = w.user_id and m.blocked_at is distinct from w.at;
  v_changed := found;
  return v_changed;
end $$;

-- ---------------------------------------------------------------- scheduled messages
-- Puts a message off, once per (conversation, clientMsgId) of a user; p_route is the user, whose row lock makes the bound exact.
-- status: created | exists (id and send_at are the first one's; same: the content is equal) | limit_reached.
create function insert_scheduled(
  p_route text, p_app text, p_id uuid, p_conv uuid, p_cmid text, p_hash bytea, p_type text, p_body jsonb, p_extra jsonb, p_countable boolean,
  p_send_at timestamptz, p_bound integer, out status text, out id uuid, out send_at text, out same boolean)
language plpgsql volatile as $$
#variable_conflict use_column
declare v_now timestamptz; v_count bigint; r record;
begin
  perform 1 from chat_user c where c.app_id = p_app and c.id = p_route for no key update;
  v_now := date_trunc('milliseconds', clock_timestamp());
  select s.id, s.send_at, s.content_hash into r from scheduled s
    where s.app_id = p_app and s.user_id = p_route and s.conversation_id = p_conv and s.client_msg_id = p_cmid;
  if found then
    status := 'exists';
    id := r.id;
    send_at := rfc3339(r.send_at);
    same := r.content_hash = p_hash;
    return;
  end if;
  select count(*) into v_count from scheduled s where s.app_id = p_app and s.user_id = p_route;
  if v_count >= p_bound then
    status := 'limit_reached';
    return;
  end if;
  insert into scheduled (app_id, user_id, id, conversation_id, client_msg_id, content_hash, type, body, extra, countable, send_at, created_at)
    values (p_app, p_route, p_id, p_conv, p_cmid, p_hash, p_type, p_body, p_extra, p_countable, p_send_at, v_now);
  status := 'created';
  id := p_id;
  send_at := rfc3339(p_send_at::timestamptz(3));
  same := true;
end $$;

alter function wipe_entries set enable_seqscan = off;
alter function wipe_entries set enable_bitmapscan = off;
alter function wipe_entries set enable_hashjoin = off;
alter function wipe_entries set enable_mergejoin = off;
alter function wipe_entries set plan_cache_mode = force_generic_plan;
alter function expire_entries set lock_timeout = '2s';
alter function expire_entries set enable_seqscan = off;
alter function expire_entries set enable_bitmapscan = off;
alter function expire_entries set enable_hashjoin = off;
alter function expire_entries set enable_mergejoin = off;
alter function expire_entries set plan_cache_mode = force_generic_plan;
alter function retain_conversation set lock_timeout = '2s';
alter function retain_conversation set enable_seqscan = off;
alter function retain_conversation set enable_bitmapscan = off;
alter function retain_conversation set enable_hashjoin = off;
alter function retain_conversation set enable_mergejoin = off;
alter function retain_conversation set plan_cache_mode = force_generic_plan;
alter function set_block set lock_timeout = '1s';
alter function set_block set enable_seqscan = off;
alter function set_block set enable_bitmapscan = off;
alter function set_block set enable_hashjoin = off;
alter function set_block set enable_mergejoin = off;
alter function set_block set plan_cache_mode = force_generic_plan;
alter function mirror_block set lock_timeout = '1s';
alter function mirror_block set enable_seqscan = off;
alter function mirror_block set enable_bitmapscan = off;
alter function mirror_block set enable_hashjoin = off;
alter function mirror_block set enable_mergejoin = off;
alter function mirror_block set plan_cache_mode = force_generic_plan;
alter function insert_scheduled set lock_timeout = '1s';
alter function insert_scheduled set enable_seqscan = off;
alter function insert_scheduled set enable_bitmapscan = off;
alter function insert_scheduled set enable_hashjoin = off;
alter function insert_scheduled set enable_mergejoin = off;
alter function insert_scheduled set plan_cache_mode = force_generic_plan;
