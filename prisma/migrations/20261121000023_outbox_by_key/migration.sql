-- As before, key by key. As one statement it joined the keys with the outbox, and the planner may read either side for the other: from
-- statistics taken while the outbox was empty, as it mostly is, it read the whole outbox for each batch just when a backlog had come.
create or replace function delete_outbox(p_route uuid, p_conv uuid[], p_id uuid[]) returns integer language plpgsql volatile as $$
declare v_count integer := 0; k record;
begin
  perform set_config('synchronous_commit', 'off', true);
  for k in select * from unnest(p_conv, p_id) u (conv, id) order by 1, 2 loop
    delete from outbox o where o.conversation_id = k.conv and o.id = k.id;
    if found then v_count := v_count + 1; end if;
  end loop;
  return v_count;
end $$;
alter function delete_outbox set enable_seqscan = off;
alter function delete_outbox set plan_cache_mode = force_generic_plan;
