-- Acts on messages: edits, redactions, reactions, pins. Each is an entry, and its effect is folded into the row of its target in the
-- same transaction: the target's state_seq is the seq of the last act folded. The caller (append_entries_v2) holds the conversation's
-- row locked, so an act and whatever else changes a message follow each other.

-- Judges one act of one actor on one entry. t_visible: the target exists and the actor may see it. t_gone: redacted or expired.
-- What a mode skips stands at judge_message_v2. A redaction is refused by nothing but the role: who may not speak may still take back.
create function judge_act(
  p_type text, c_type text, c_frozen_at timestamptz, m_role text, m_left_seq bigint, m_banned_until timestamptz, m_muted_until timestamptz,
  m_blocked_at timestamptz, t_visible boolean, t_type text, t_own boolean, t_gone boolean, p_mode text, p_now timestamptz)
returns text language sql immutable parallel safe
  return case
    when p_mode <> 'admin' and (m_role is null or m_left_seq is not null) then 'not_member'
    when p_mode <> 'admin' and m_banned_until > p_now then 'banned'
    when t_visible is not true then 'target_missing'
    when not is_message(t_type) then 'target_invalid'
    when p_mode <> 'admin' and not case p_type
        when 'message.edited' then t_own and (c_type <> 'channel' or m_role <> 'member' or p_mode = 'on_behalf')
        when 'message.redacted' then t_own or c_type <> 'direct' and m_role <> 'member'
        when 'message.pinned' then c_type = 'direct' or m_role <> 'member'
        when 'message.unpinned' then c_type = 'direct' or m_role <> 'member'
        else true end then 'forbidden'
    when p_type = 'message.redacted' then case when t_gone then 'unchanged' else 'ok' end
    when m_blocked_at is not null and p_mode in ('interactive', 'scheduled') then 'blocked'
    when c_frozen_at is not null and m_role = 'member' and p_mode in ('interactive', 'scheduled') then 'frozen'
    when m_muted_until > p_now and p_mode in ('interactive', 'scheduled') then 'muted'
    when t_gone then 'target_redacted'
    else 'ok' end;

-- One reaction more or less (p_step 1 or -1), after the row of table reaction was written or deleted. state: the emoji afterwards;
-- reactions: the folded list of the message, emojis in order of first appearance, null when there is none left. The count is carried on
-- and the users shown are read from a range of ten, so the cost does not grow with the number of reactions.
create function fold_reaction(
  p_conv uuid, p_seq bigint, p_reactions jsonb, p_emoji text, p_step integer, out reactions jsonb, out state jsonb)
language plpgsql volatile as $$
declare
  v_index integer; v_count integer; v_users jsonb;
begin
  select x.n - 1, (x.value ->> 'count')::integer into v_index, v_count
    from jsonb_array_elements(p_reactions) with ordinality x (value, n) where x.value ->> 'emoji' = p_emoji;
  v_count := coalesce(v_count, 0) + p_step;
  select coalesce(jsonb_agg(u.user_id order by u.created_at, u.user_id), '[]') into v_users from (
    select r.user_id, r.created_at from reaction r where r.conversation_id = p_conv and r.seq = p_seq and r.emoji = p_emoji
    order by r.created_at, r.user_id limit 10) u;
  state := jsonb_build_object('emoji', p_emoji, 'count', v_count, 'users', v_users);
  reactions := nullif(case
    when v_index is null then coalesce(p_reactions, '[]') || state
    when v_count = 0 then p_reactions - v_index
    else jsonb_set(p_reactions, array[v_index::text], state) end, '[]');
end $$;

-- Sets the mentions of a message: one row for each user but its sender.
create function put_mentions(p_conv uuid, p_seq bigint, p_sender text, p_before text[], p_after text[], p_expires_at timestamptz)
returns void language plpgsql volatile as $$
begin
  delete from mention m where m.conversation_id = p_conv and m.user_id = any (p_before) and m.seq = p_seq
    and m.user_id <> all (coalesce(p_after, '{}'));
  insert into mention (conversation_id, user_id, seq, expires_at)
    select p_conv, x.id, p_seq, p_expires_at from unnest(p_after) x (id) where x.id <> p_sender
    on conflict do nothing;
end $$;

-- One act. p_body: the new body of an edit, {"emoji"} of a reaction. p_extra of an edit: {"mentions"?, "ifStateSeq"?}; an edit without
-- mentions has none. p_extra of a reaction and a pin: {"atMost"?}, the distinct emojis of a message, the pins of a conversation; 50 and 100
-- when the caller names no bound.
-- Not for use by itself: it writes no outbox row.
create function append_message_act(
  p_conv uuid, p_actor text, p_cmid text, p_hash bytea, p_type text, p_target bigint, p_body jsonb, p_extra jsonb, p_mode text, p_now timestamptz,
  out status text, out seq bigint)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  c record; a record; t record; v_seq bigint; v_body jsonb; v_mentions text[]; v_emoji text := p_body ->> 'emoji'; v_reactions jsonb; v_has boolean;
begin
  select x.* into c from conversation x where x.id = p_conv;
  select x.* into a from member x where x.conversation_id = p_conv and x.user_id = p_actor;
  select x.* into t from entry x where x.conversation_id = p_conv and x.seq = p_target;
  status := judge_act(p_type, c.type, c.frozen_at, a.role, a.left_seq, a.banned_until, a.muted_until, a.blocked_at,
    t.seq >= c.oldest_seq and (p_mode = 'admin' or c.history = 'full' or t.seq >= a.joined_seq),
    t.type, t.sender_id = p_actor, t.redacted_at is not null or t.expires_at is not null and t.expires_at <= p_now, p_mode, p_now);
  if status <> 'ok' then return; end if;
  v_seq := c.last_seq + 1;

  if p_type = 'message.edited' then
    v_mentions := mention_list(p_extra -> 'mentions');
    status := case
      when (p_extra ->> 'ifStateSeq')::bigint <> coalesce(t.state_seq, 0) then 'state_changed'
      -- who was mentioned before may stay mentioned, gone or not
      when exists (select from unnest(v_mentions) x (id) where x.id <> all (coalesce(t.mentions, '{}')) and not exists (
        select from member m where m.conversation_id = p_conv and m.user_id = x.id and m.left_seq is null)) then 'mention_stranger'
      when p_body = t.body and v_mentions is not distinct from t.mentions then 'unchanged'
      else 'ok' end;
    if status <> 'ok' then return; end if;
    insert into entry_version (conversation_id, seq, edit_seq, body, mentions, written_at)
      values (p_conv, p_target, v_seq, coalesce(t.body, 'null'), t.mentions, coalesce(t.edited_at, t.created_at));
    -- only the last edit keeps what it says
    update entry set body = null, mentions = null where conversation_id = p_conv and seq = t.edit_seq;
    update entry set body = p_body, mentions = v_mentions, edited_at = p_now, edit_seq = v_seq, state_seq = v_seq
      where conversation_id = p_conv and seq = p_target;
    perform put_mentions(p_conv, p_target, t.sender_id, t.mentions, v_mentions, t.expires_at);
    v_body := p_body;

  elsif p_type = 'message.redacted' then
    update entry set body = null, mentions = null where conversation_id = p_conv and seq = t.edit_seq;
    update entry set body = null, mentions = null, reactions = null, reply_seq = null, pinned_at = null, redacted_at = p_now, state_seq = v_seq
      where conversation_id = p_conv and seq = p_target;
    delete from entry_version where conversation_id = p_conv and seq = p_target;
    delete from reaction where conversation_id = p_conv and seq = p_target;
    delete from pin where conversation_id = p_conv and seq = p_target;
    perform put_mentions(p_conv, p_target, t.sender_id, t.mentions, null, null);

  elsif p_type in ('reaction.added', 'reaction.removed') then
    select exists (select from reaction r where r.conversation_id = p_conv and r.seq = p_target and r.user_id = p_actor and r.emoji = v_emoji)
      into v_has;
    status := case
      when v_has = (p_type = 'reaction.added') then 'unchanged'
      when p_type = 'reaction.added' and jsonb_array_length(t.reactions) >= coalesce((p_extra ->> 'atMost')::integer, 50)
        and not jsonb_path_exists(t.reactions, '$[*] ? (@.emoji == $emoji)', jsonb_build_object('emoji', v_emoji)) then 'limit_reached'
      else 'ok' end;
    if status <> 'ok' then return; end if;
    if v_has then
      delete from reaction r where r.conversation_id = p_conv and r.seq = p_target and r.user_id = p_actor and r.emoji = v_emoji;
    else
      insert into reaction (conversation_id, seq, user_id, emoji, created_at) values (p_conv, p_target, p_actor, v_emoji, p_now);
    end if;
    select f.reactions, f.state into v_reactions, v_body
      from fold_reaction(p_conv, p_target, t.reactions, v_emoji, case when v_has then -1 else 1 end) f;
    update entry set reactions = v_reactions, state_seq = v_seq where conversation_id = p_conv and seq = p_target;

  elsif p_type in ('message.pinned', 'message.unpinned') then
    status := case
      when (t.pinned_at is not null) = (p_type = 'message.pinned') then 'unchanged'
      when p_type = 'message.pinned' and (select count(*) from pin where conversation_id = p_conv) >= coalesce((p_extra ->> 'atMost')::integer, 100) then 'limit_reached'
      else 'ok' end;
    if status <> 'ok' then return; end if;
    if p_type = 'message.pinned' then
      insert into pin (conversation_id, seq, pinned_by, created_at) values (p_conv, p_target, p_actor, p_now);
    else
      delete from pin where conversation_id = p_conv and seq = p_target;
    end if;
    update entry set pinned_at = case when p_type = 'message.pinned' then p_now end, state_seq = v_seq
      where conversation_id = p_conv and seq = p_target;
  else
    raise exception 'unknown act %', p_type using errcode = '22023';
  end if;

  insert into entry (conversation_id, seq, type, sender_id, client_msg_id, content_hash, message_no, countable, target_seq, body, mentions,
      expires_at, created_at)
    values (p_conv, v_seq, p_type, p_actor, p_cmid, p_hash, c.message_count, false, p_target, v_body, v_mentions,
      case when p_type = 'message.edited' then t.expires_at end, p_now);
  update conversation set last_seq = v_seq, last_entry_at = p_now where id = p_conv;
  seq := v_seq;
end $$;

-- Changes what a conversation says of itself; only what differs is written and named by the entry. p_wanted: any of title, avatarUrl,
-- metadata, frozen, slowModeSeconds, retentionSeconds; absent and null leave it alone, '' and {} clear it (null in the entry).
-- Not for use by itself: it writes no outbox row.
create function append_conversation_update(
  p_conv uuid, p_actor text, p_wanted jsonb, p_mode text, p_now timestamptz,
  out status text, out seq bigint, out member_version bigint, out member_count integer)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  c record; a record; v_fields text[]; d jsonb;
begin
  select x.* into c from conversation x where x.id = p_conv;
  member_version := c.member_version;
  member_count := c.member_count;
  select coalesce(array_agg(x.key), '{}') into v_fields from jsonb_each(p_wanted) x where x.value <> 'null';
  if p_mode <> 'admin' then
    select x.* into a from member x where x.conversation_id = p_conv and x.user_id = p_actor;
    status := case
      when a.role is null or a.left_seq is not null then 'not_member'
      when a.banned_until > p_now then 'banned'
      when c.type = 'direct' then case
        when not v_fields <@ array['metadata', 'retentionSeconds'] then 'forbidden'
        when a.blocked_at is not null and p_mode in ('interactive', 'scheduled') then 'blocked'
        else 'ok' end
      when 'retentionSeconds' = any (v_fields) and a.role <> 'owner' then 'forbidden'
      when a.role = 'member' then 'forbidden'
      else 'ok' end;
    if status <> 'ok' then return; end if;
  end if;

  select coalesce(jsonb_object_agg(x.field, x.wanted), '{}') into d from (values
      ('title', to_jsonb(c.title), to_jsonb(nullif(p_wanted ->> 'title', ''))),
      ('avatarUrl', to_jsonb(c.avatar_url), to_jsonb(nullif(p_wanted ->> 'avatarUrl', ''))),
      ('metadata', nullif(c.metadata, '{}'), nullif(p_wanted -> 'metadata', '{}')),
      ('frozen', to_jsonb(c.frozen_at is not null), p_wanted -> 'frozen'),
      ('slowModeSeconds', to_jsonb(c.slow_mode_s), p_wanted -> 'slowModeSeconds'),
      ('retentionSeconds', to_jsonb(c.retention_s), p_wanted -> 'retentionSeconds')) x (field, present, wanted)
    where x.field = any (v_fields) and x.wanted is distinct from x.present;
  if d = '{}' then
    status := 'unchanged';
    return;
  end if;
  insert into entry (conversation_id, seq, type, sender_id, message_no, countable, body, created_at)
    values (p_conv, c.last_seq + 1, 'conversation.updated', '$system', c.message_count, false, jsonb_build_object('by', p_actor) || d, p_now);
  -- member_version: what gateways compare to learn that who may speak has changed
  update conversation set last_seq = c.last_seq + 1, last_entry_at = p_now,
      title = case when d ? 'title' then d ->> 'title' else title end,
      avatar_url = case when d ? 'avatarUrl' then d ->> 'avatarUrl' else avatar_url end,
      metadata = case when d ? 'metadata' then nullif(d -> 'metadata', 'null') else metadata end,
      frozen_at = case when d ? 'frozen' then case when (d ->> 'frozen')::boolean then p_now end else frozen_at end,
      slow_mode_s = coalesce((d ->> 'slowModeSeconds')::integer, slow_mode_s),
      retention_s = coalesce((d ->> 'retentionSeconds')::integer, retention_s),
      member_version = member_version + (d ? 'frozen')::integer
    where id = p_conv
    returning member_version into member_version;
  seq := c.last_seq + 1;
  status := 'ok';
end $$;
