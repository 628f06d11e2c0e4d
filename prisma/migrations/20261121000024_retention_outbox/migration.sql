-- What retention takes away must leave the copies held elsewhere too, also when the bus refuses to say so or the process dies before it could:
-- like everything else that follows from a commit, it stands in the outbox until it is done.
alter table outbox drop constraint outbox_kind_check;
alter table outbox add constraint outbox_kind_check check (kind in ('append', 'read', 'hide', 'block', 'copies'));

drop function retain_conversation;
-- One step of one conversation's retention: oldest_seq moves to the first entry that is young enough, by p_chunk at most, so that every
-- step leaves the log whole and none holds its lock for long. created_at ascends with seq, so the place is found by bisection.
-- Members who had not read what goes are moved to the edge: what was unread there is unread no more.
-- moved false: nothing was old enough. more: another step is due. outbox_id: the row that stands for dropping copies held elsewhere, until
-- the bus has taken that message.
create function retain_conversation(
  p_route uuid, p_chunk integer,
  out moved boolean, out more boolean, out app_id text, out member_version bigint, out head bigint, out oldest_seq bigint, out outbox_id uuid)
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
  outbox_id := gen_random_uuid();
  insert into outbox (conversation_id, id, created_at, kind, payload, next_at) values (p_route, outbox_id, v_now, 'copies',
    jsonb_build_object('copies', jsonb_build_array(jsonb_build_array(c.app_id, p_route, c.member_version, c.last_seq))), v_now);
end $$;

alter function retain_conversation set lock_timeout = '2s';
alter function retain_conversation set enable_seqscan = off;
alter function retain_conversation set enable_bitmapscan = off;
alter function retain_conversation set enable_hashjoin = off;
alter function retain_conversation set enable_mergejoin = off;
alter function retain_conversation set plan_cache_mode = force_generic_plan;
