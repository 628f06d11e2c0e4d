import { ensureUser, loadApps, loadKeys, type Pool } from '@nudge/db';
import type { DirectoryContent } from '@nudge/server-kit';

/** Apps and the keys in force, for the directory that tokens are verified by. */
export async function loadDirectory(pool: Pool): Promise<DirectoryContent> {
  const [apps, keys] = await Promise.all([loadApps(pool), loadKeys(pool)]);
  return { apps, keys: keys.map((key) => ({ ...key, retiredAt: null })) };
}

/** Makes sure that a user who comes with a valid token has a row. */
export async function admitUser(pool: Pool, appId: string, userId: string): Promise<void> {
  await ensureUser(pool, appId, userId);
}
