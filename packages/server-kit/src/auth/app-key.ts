import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { TokenAlgorithm } from '@nudge/types';

/** What a key is for: verifying (and with `hs256` minting) user tokens, or standing for the integrator's own servers. */
export type AppKeyKind = 'hs256' | 'rs256' | 'es256' | 'server';

/** A key of an app, found by (app, kid). `kid` is `<appId>.<n>`. */
export interface AppKey {
  readonly appId: string;
  readonly kid: string;
  readonly kind: AppKeyKind;
  /** hs256: text, at least 32 bytes as UTF-8. */
  readonly secret?: string | null | undefined;
  /** rs256, es256: PEM. */
  readonly publicKey?: string | null | undefined;
  /** server: SHA-256 of the secret. */
  readonly secretHash?: Buffer | null | undefined;
  readonly scopes: readonly string[];
  /** ms since 1970; from then on the key is refused. */
  readonly retiredAt?: number | null;
}

/** Shortest secret of an HS256 key, bytes (RFC 7518, 3.2: no shorter than the hash). */
export const minSecretBytes = 32;

const algorithms: Readonly<Record<AppKeyKind, TokenAlgorithm | undefined>> = {
  hs256: 'HS256',
  rs256: 'RS256',
  es256: 'ES256',
  server: undefined,
};

/** The only algorithm that tokens signed with this key may have. */
export const algorithmOf = (key: AppKey): TokenAlgorithm | undefined => algorithms[key.kind];

/** Whether the key is still in use at `now` (ms). */
export const isLive = (key: AppKey, now: number): boolean => (key.retiredAt ?? Number.POSITIVE_INFINITY) > now;

const material = new WeakMap<AppKey, KeyObject | undefined>();

/** The key as crypto takes it; `undefined` when it cannot verify tokens (too short, not a key of its kind). */
export function keyObject(key: AppKey): KeyObject | undefined {
  if (!material.has(key)) material.set(key, build(key));
  return material.get(key);
}

function build(key: AppKey): KeyObject | undefined {
  if (key.kind === 'hs256') {
    const secret = Buffer.from(key.secret ?? '', 'utf8');
    return secret.length < minSecretBytes ? undefined : createSecretKey(secret);
  }
  if (key.kind === 'server' || !key.publicKey) return undefined;
  try {
    const publicKey = createPublicKey(key.publicKey);
    const details = publicKey.asymmetricKeyDetails;
    if (key.kind === 'rs256') return publicKey.asymmetricKeyType === 'rsa' && (details?.modulusLength ?? 0) >= 2048 ? publicKey : undefined;
    return publicKey.asymmetricKeyType === 'ec' && details?.namedCurve === 'prime256v1' ? publicKey : undefined;
  } catch {
    // Not a PEM key: such a key verifies nothing.
    return undefined;
  }
}
