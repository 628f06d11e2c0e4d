-- Applies states to users' feeds. Idempotent and order-free per subject: the newest src_version wins and a state is absolute.
-- p_src null: previous + 1 under the user row's lock (preferences, blocks, notices); a state equal to the present one changes nothing.
-- p_merge: the state is merged shallowly into the present one; a null value removes its key.
-- Answers one version per input, null where nothing changed. User rows are locked in (app_id, id) order; missing ones are inserted.
create function apply_feed(p_route text, p_app text[], p_user text[], p_subject text[], p_src bigint[], p_state jsonb[], p_merge boolean[])
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
              from jsonb_each(coalesce(f.state, '{}') || i.state) x where x.value <> 'null'), '{}') else i.state end as state,
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
