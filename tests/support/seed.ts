import { randomBytes } from 'node:crypto';
import { type AppKey, mintToken, newServerKey } from '@nudge/server-kit';
import type { TestDatabase } from './database.ts';

/** An app as tests use it: its keys at hand. */
export interface TestApp {
  readonly id: string;
  /** HS256; signs what `token` returns. */
  readonly signingKey: AppKey;
  /** `nsk_...`, for the routes of the integrator. */
  readonly serverKey: string;
  /** A user token, valid for an hour. */
  token(userId: string): string;
}

export interface AppOptions {
  readonly users?: readonly string[];
  /** Scopes of the server key; all by default. */
  readonly scopes?: readonly string[];
}

/**
 * Writes an app with a signing key, a server key and users straight to the database, past the API.
 * A server that runs already learns of it only at its next reload of the keys: seed first.
 */
export async function seedApp(
  database: Pick<TestDatabase, 'query'>,
  id: string,
  { users = [], scopes = ['*'] }: AppOptions = {},
): Promise<TestApp> {
  const secret = randomBytes(32).toString('hex');
  const server = newServerKey(`${id}.server`);
  const signingKey: AppKey = {
    appId: id,
    kid: `${id}.1`,
    kind: 'hs256',
    secret,
    scopes: [],
    retiredAt: null,
  };
  await database.query('insert into app (id, name) values ($1, $1)', [id]);
  await database.query(
    `insert into app_key (app_id, kid, kind, secret, secret_hash, scopes)
     values ($1, $2, 'hs256', $3, null, '{}'), ($1, $4, 'server', null, $5, $6)`,
    [id, signingKey.kid, secret, server.kid, server.secretHash, scopes],
  );
  await database.query('insert into chat_user (app_id, id) select $1, unnest($2::text[])', [id, users]);
  return {
    id,
    signingKey,
    serverKey: server.key,
    token: (userId) => mintToken({ key: signingKey, userId, ttlSeconds: 3600 }).token,
  };
}
