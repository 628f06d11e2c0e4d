import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';

/**
 * Locks: the app's row. Index: `app_pkey`. Keys that begin with `$` are kept by the apps for themselves and stay as they are.
 * Rejected: writing the settings as a whole (would undo what another process has set meanwhile).
 */
const statement: Statement = {
  name: 'update_app_settings',
  text: `update app a set settings = coalesce((
      select jsonb_object_agg(x.key, x.value) from jsonb_each(a.settings || (
        select coalesce(jsonb_object_agg(p.key, p.value), '{}') from jsonb_each($2::jsonb) p where p.key !~ '^\\$')) x where x.value <> 'null'), '{}')
    where a.id = $1 returning 1`,
};

/** Merges keys into an app's settings, null removing one; `$contentSecret` and the like cannot be reached. False: no such app. */
export async function updateAppSettings(
  pool: Pool,
  appId: string,
  patch: Readonly<Record<string, unknown>> & { readonly countableTypes?: readonly string[] | null },
): Promise<boolean> {
  return (await run(pool, statement, [appId, JSON.stringify(patch)])).length === 1;
}
