-- Creates a conversation with its first members and its first entry, or finds that it exists.
-- p_members: without the creator. The caller reads the row with a new statement afterwards.
-- status: created | exists | not_found (the id belongs to another app). unhidden: a direct conversation that its creator had hidden shows again.
create function create_conversation(
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
      update member m set hidden_seq = null where m.conversation_id = p_route and m.user_id = p_created_by and m.hidden_seq is not null;
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
create function hide_direct(p_route uuid, p_outbox uuid, p_app text, p_user text) returns bigint language plpgsql volatile as $$
declare
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_seq bigint;
begin
  update member m set hidden_seq = c.last_seq
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
