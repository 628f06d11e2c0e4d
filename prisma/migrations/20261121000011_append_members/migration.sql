-- Members: joining, roles, transfer of ownership, leaving, mutes, bans. One change of one conversation, whose row and member rows (the
-- actor's and the named user's) the caller (append_entries_v2) holds locked. Not for use by itself: it writes no outbox row.
--   member.put       {"userId", "role"?}    add (the role of a new member without one: member) or give another role
--   member.remove    {"userId"}             remove, or leave
--   member.transfer  {"userId"}             the named member becomes owner, the acting owner moderator; in mode admin nobody steps down
--   member.mute      {"userId", "until"}    until null or past: unmute. 'infinity' is kept as the last time that has a name
--   member.ban       {"userId", "until"}    until null: for ever. Ends a membership, and keeps out who has none; ends by itself
--   member.unban     {"userId"}
-- touched: whose member rows changed. target_missing: the named user would have to be a current member.
-- banned_until is 'infinity' for ever, which has no text: it is absent on the wire.
create function append_member_change_v2(
  p_conv uuid, p_actor text, p_type text, p_args jsonb, p_mode text, p_now timestamptz,
  out status text, out seq bigint, out member_version bigint, out member_count integer, out touched text[])
language plpgsql volatile as $$
#variable_conflict use_column
declare
  c record; a record; m record;
  v_user text := p_args ->> 'userId';
  v_role text := p_args ->> 'role';
  v_until timestamptz := (p_args ->> 'until')::timestamptz;
  v_admin boolean := p_mode = 'admin';
  v_rank constant jsonb := '{"owner": 3, "moderator": 2, "member": 1}';
  v_seq bigint; v_current boolean; v_moderates boolean; v_above boolean; v_last_owner boolean;
  v_type text := 'member.updated'; v_body jsonb; v_delta integer := 0;
begin
  select x.* into c from conversation x where x.id = p_conv;
  member_version := c.member_version;
  member_count := c.member_count;
  v_seq := c.last_seq + 1;
  select x.* into a from member x where x.conversation_id = p_conv and x.user_id = p_actor;
  if not v_admin then
    if a.user_id is null or a.left_seq is not null then status := 'not_member'; return; end if;
    if a.banned_until > p_now then status := 'banned'; return; end if;
  end if;
  if c.type = 'direct' then status := 'forbidden'; return; end if;
  select x.* into m from member x where x.conversation_id = p_conv and x.user_id = v_user;
  v_current := m.user_id is not null and m.left_seq is null;
  v_moderates := v_admin or a.role <> 'member';
  -- a role counts only while its bearer is a member: who has left stands below everybody
  v_above := v_admin or v_moderates and (not v_current or (v_rank ->> a.role)::int > (v_rank ->> m.role)::int);
  v_last_owner := v_current and m.role = 'owner' and not exists (
    select from member o where o.conversation_id = p_conv and o.role = 'owner' and o.left_seq is null and o.user_id <> v_user);
  v_body := jsonb_build_object('userId', v_user, 'by', p_actor);
  touched := array[v_user];

  if p_type = 'member.put' then
    status := case
      when v_current and (v_role is null or v_role = m.role) then 'unchanged'
      when m.banned_until > p_now then 'forbidden'
      when not v_admin and a.role <> 'owner' and (not v_moderates or v_current or coalesce(v_role, 'member') <> 'member') then 'forbidden'
      when v_last_owner then 'last_owner'
      else 'ok' end;
    if status = 'ok' then
      v_role := coalesce(v_role, 'member');
      v_body := v_body || jsonb_build_object('role', v_role);
      if v_current then
        update member set role = v_role, changed_seq = v_seq where conversation_id = p_conv and user_id = v_user;
      else
        v_type := 'member.joined';
        v_delta := 1;
        insert into member (conversation_id, user_id, app_id, role, joined_seq, read_seq, read_count, delivered_seq, changed_seq)
          values (p_conv, v_user, c.app_id, v_role, v_seq, v_seq, c.message_count, v_seq, v_seq)
          on conflict (conversation_id, user_id) do update set
            role = excluded.role, joined_seq = excluded.joined_seq, left_seq = null, read_seq = excluded.read_seq,
            read_count = excluded.read_count, own_unread = 0, delivered_seq = excluded.delivered_seq, banned_until = null, hidden_seq = null,
            changed_seq = excluded.changed_seq;
      end if;
    end if;

  elsif p_type = 'member.remove' then
    status := case
      when not v_current then 'unchanged'
      when not v_above and p_actor <> v_user then 'forbidden'
      when v_last_owner and c.member_count > 1 then 'last_owner'
      else 'ok' end;
    if status = 'ok' then
      v_type := 'member.left';
      v_delta := -1;
      v_body := v_body || jsonb_build_object('reason', case when p_actor = v_user and not v_admin then 'left' else 'removed' end);
      update member set left_seq = v_seq, changed_seq = v_seq where conversation_id = p_conv and user_id = v_user;
    end if;

  elsif p_type = 'member.transfer' then
    status := case
      when not v_admin and a.role <> 'owner' then 'forbidden'
      when not v_current then 'target_missing'
      when p_actor = v_user or v_admin and m.role = 'owner' then 'unchanged'
      else 'ok' end;
    if status = 'ok' then
      v_body := v_body || jsonb_build_object('role', 'owner');
      update member set role = 'owner', changed_seq = v_seq where conversation_id = p_conv and user_id = v_user;
      if not v_admin then
        v_body := v_body || jsonb_build_object('transfer', true);
        update member set role = 'moderator', changed_seq = v_seq where conversation_id = p_conv and user_id = p_actor;
        touched := touched || p_actor;
      end if;
    end if;

  elsif p_type = 'member.mute' then
    v_until := case when v_until > p_now then least(v_until, '9999-12-31 23:59:59.999+00') end;
    status := case
      when not v_moderates then 'forbidden'
      when not v_current then 'target_missing'
      when not v_above then 'forbidden'
      when v_until is not distinct from case when m.muted_until > p_now then m.muted_until end then 'unchanged'
      else 'ok' end;
    if status = 'ok' then
      v_body := v_body || jsonb_build_object('mutedUntil', rfc3339(v_until));
      update member set muted_until = v_until, changed_seq = v_seq where conversation_id = p_conv and user_id = v_user;
    end if;

  elsif p_type = 'member.ban' then
    v_until := coalesce(v_until, 'infinity');
    status := case
      when not v_above then 'forbidden'
      when v_last_owner and c.member_count > 1 then 'last_owner'
      when v_until <= p_now or not v_current and m.banned_until is not distinct from v_until then 'unchanged'
      else 'ok' end;
    if status = 'ok' then
      if v_current then
        v_type := 'member.left';
        v_delta := -1;
        v_body := v_body || jsonb_build_object('reason', 'banned');
      else
        v_body := v_body || jsonb_build_object('banned', true);
      end if;
      if v_until < 'infinity' then v_body := v_body || jsonb_build_object('bannedUntil', rfc3339(v_until)); end if;
      insert into member (conversation_id, user_id, app_id, joined_seq, left_seq, banned_until, changed_seq)
        values (p_conv, v_user, c.app_id, 0, 0, v_until, v_seq)
        on conflict (conversation_id, user_id) do update set
          left_seq = coalesce(member.left_seq, v_seq), banned_until = v_until, changed_seq = v_seq;
    end if;

  elsif p_type = 'member.unban' then
    status := case
      when not v_moderates then 'forbidden'
      when m.banned_until is null or m.banned_until <= p_now then 'unchanged'
      else 'ok' end;
    if status = 'ok' then
      v_body := v_body || jsonb_build_object('banned', false);
      update member set banned_until = null, changed_seq = v_seq where conversation_id = p_conv and user_id = v_user;
    end if;
  else
    raise exception 'unknown membership change %', p_type using errcode = '22023';
  end if;
  if status <> 'ok' then
    touched := null;
    return;
  end if;

  insert into entry (conversation_id, seq, type, sender_id, message_no, countable, body, created_at)
    values (p_conv, v_seq, v_type, '$system', c.message_count, false, v_body, p_now);
  update conversation set last_seq = v_seq, last_entry_at = p_now, member_count = c.member_count + v_delta, member_version = c.member_version + 1
    where id = p_conv
    returning member_version, member_count into member_version, member_count;
  seq := v_seq;
end $$;
