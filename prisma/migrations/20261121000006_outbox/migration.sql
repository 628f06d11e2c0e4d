-- Deletes published rows. The commit does not wait for the disk: a row that comes back after a crash is published once more, which
-- is what at-least-once means. set_config(..., true) lasts until the commit; a SET clause of the function would end before it.
create function delete_outbox(p_route uuid, p_conv uuid[], p_id uuid[]) returns integer language plpgsql volatile as $$
declare v_count integer;
begin
  perform set_config('synchronous_commit', 'off', true);
  delete from outbox o using (select * from unnest(p_conv, p_id) u (conv, id) order by 1, 2) w where o.conversation_id = w.conv and o.id = w.id;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
alter function delete_outbox set enable_seqscan = off;
alter function delete_outbox set enable_hashjoin = off;
alter function delete_outbox set enable_mergejoin = off;
alter function delete_outbox set plan_cache_mode = force_generic_plan;
