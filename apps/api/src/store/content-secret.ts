import { randomBytes } from 'node:crypto';
import { classify, type Pool } from '@nudge/db';

/**
 * The app's secret for content hashes, 256 random bits as base64url. The first instance that asks makes it; the row lock of the update
 * lets one of several win, and all read what it wrote. It lies in the app's settings under a key that settings for people never use.
 */
export async function contentSecret(pool: Pool, appId: string): Promise<string> {
  try {
    const secret = (await read(pool, appId)) ?? (await make(pool, appId));
    if (secret !== null) return secret;
  } catch (error) {
    throw classify(error);
  }
  throw new Error('the app is not in the database');
}

async function read(pool: Pool, appId: string): Promise<string | null> {
  const text = `select settings ->> '$contentSecret' as secret from app where id = $1`;
  const { rows } = await pool.query<{ secret: string | null }>({ name: 'content_secret', text, values: [appId] });
  return rows[0]?.secret ?? null;
}

async function make(pool: Pool, appId: string): Promise<string | null> {
  const text = `update app set settings = settings || jsonb_build_object('$contentSecret', $2::text)
    where id = $1 and not settings ? '$contentSecret'`;
  await pool.query({ name: 'make_content_secret', text, values: [appId, randomBytes(32).toString('base64url')] });
  return read(pool, appId);
}
