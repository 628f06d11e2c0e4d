import { classify, type Pool } from '@nudge/db';
import { type SessionPolicy, sessionPolicySchema } from '@nudge/types';

/** How many sessions a user of the app may have, as its settings have it now. Index: `app_pkey`. */
export async function sessionPolicy(pool: Pool, appId: string): Promise<SessionPolicy | null> {
  const text = `select settings -> 'sessionPolicy' as policy from app where id = $1`;
  try {
    const { rows } = await pool.query<{ policy: unknown }>({ name: 'session_policy', text, values: [appId] });
    return sessionPolicySchema.nullish().parse(rows[0]?.policy) ?? null;
  } catch (error) {
    throw classify(error);
  }
}
