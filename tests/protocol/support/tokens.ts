import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { TestApp } from '../../support/seed.ts';
import type { System } from '../../support/system.ts';

/** A key of an app that tests sign with by hand. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: 'HS256' | 'RS256' | 'ES256';
  /** hs256: the secret; the others: the private key. */
  readonly key: string | KeyObject;
  /** PEM, for the others. */
  readonly publicKey?: string;
}

export type Header = Readonly<Record<string, unknown>>;
export type Claims = Readonly<Record<string, unknown>>;

/** The app's first key, as `token()` of the app uses it. */
export const firstKey = (app: TestApp): SigningKey => ({ kid: app.signingKey.kid, alg: 'HS256', key: app.signingKey.secret ?? '' });

/** Adds a key to a running app: its kid is `<appId>.<n>`. A retired one was retired an hour ago. */
export async function addKey(
  system: System,
  app: TestApp,
  n: string,
  alg: SigningKey['alg'],
  { retired = false } = {},
): Promise<SigningKey> {
  const kid = `${app.id}.${n}`;
  const made = makeKey(kid, alg);
  const secret = typeof made.key === 'string' ? made.key : null;
  await system.database.query(
    `insert into app_key (app_id, kid, kind, secret, public_key, retired_at)
     values ($1, $2, $3, $4, $5, case when $6 then now() - interval '1 hour' end)`,
    [app.id, kid, alg.toLowerCase(), secret, made.publicKey ?? null, retired],
  );
  await readAgain(system);
  return made;
}

/** Has the system know what was written to its apps and keys. A refresh joins one under way, which may have read before that: the second has not. */
export async function readAgain({ server }: Pick<System, 'server'>): Promise<void> {
  for (let n = 0; n < 2; n += 1) await server.directory.refresh();
}

/** A key that no app has. */
export function makeKey(kid: string, alg: SigningKey['alg']): SigningKey {
  if (alg === 'HS256') return { kid, alg, key: 'k'.repeat(48) };
  const { privateKey, publicKey } =
    alg === 'RS256' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, alg, key: privateKey, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

/** Claims that are in order: issued now, valid for an hour. */
export function claimsFor(app: TestApp, userId: string, changes: Claims = {}): Claims {
  const now = Math.floor(Date.now() / 1000);
  return { sub: userId, iss: app.id, aud: 'nudge', iat: now, exp: now + 3600, ...changes };
}

/** A token written by hand: nothing is checked, every part can be changed. `undefined` takes a part away. */
export function craftToken(signer: SigningKey, claims: Claims, header: Header = {}): string {
  const text = `${part({ alg: signer.alg, typ: 'JWT', kid: signer.kid, ...header })}.${part(claims)}`;
  return `${text}.${signature(text, signer)}`;
}

/** Signature of `header.payload`, base64url. */
export function signature(text: string, { alg, key }: SigningKey): string {
  if (typeof key === 'string') return createHmac('sha256', key).update(text).digest('base64url');
  return sign('sha256', Buffer.from(text), alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key).toString('base64url');
}

/** One part of a token. */
export const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
