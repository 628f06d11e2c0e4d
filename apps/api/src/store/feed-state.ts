import { classify, type Pool } from '@nudge/db';

/** What a user's feed says of a subject, as JSON text; `null` when it says nothing. Index: `feed_pkey`. */
export async function feedState(pool: Pool, appId: string, userId: string, subject: string): Promise<string | null> {
  const text = 'select f.state::text as state from feed f where f.app_id = $1 and f.user_id = $2 and f.subject = $3';
  try {
    const { rows } = await pool.query<{ state: string }>({ name: 'feed_state', text, values: [appId, userId, subject] });
    return rows[0]?.state ?? null;
  } catch (error) {
    throw classify(error);
  }
}
