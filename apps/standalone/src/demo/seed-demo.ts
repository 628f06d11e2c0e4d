import { randomBytes } from 'node:crypto';
import { serverScopes } from '@nudge/api';
import { createApp, createPool, insertKey, loadKeys, type Pool, retireKey } from '@nudge/db';
import { newServerKey } from '@nudge/server-kit';

/** The app that standalone brings along. */
export const DEMO_APP = 'demo';

/** The two who talk in it. */
export const DEMO_USERS = ['alice', 'bob'] as const;

/**
 * Makes sure that the demo app exists with a key that signs tokens, and gives it a new server key; those of earlier starts are retired.
 * Returns the server key, which exists nowhere else in clear.
 */
export async function prepareDemoApp(connectionString: string): Promise<string> {
  const pool = createPool({ connectionString, max: 1, applicationName: 'nudge-seed' });
  try {
    return await prepare(pool);
  } finally {
    await pool.end();
  }
}

async function prepare(pool: Pool): Promise<string> {
  await createApp(pool, { id: DEMO_APP, name: 'Demo' });
  const keys = await loadKeys(pool, DEMO_APP);
  if (!keys.some(({ kind }) => kind === 'hs256')) {
    await insertKey(pool, { appId: DEMO_APP, kid: `${DEMO_APP}.1`, kind: 'hs256', secret: randomBytes(48).toString('base64url') });
  }
  for (const { kind, kid } of keys) if (kind === 'server') await retireKey(pool, DEMO_APP, kid);
  const { key, kid, secretHash } = newServerKey(`${DEMO_APP}.server-${Date.now().toString(36)}`);
  await insertKey(pool, { appId: DEMO_APP, kid, kind: 'server', secretHash, scopes: [...serverScopes] });
  return key;
}
