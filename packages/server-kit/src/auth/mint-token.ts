import { TOKEN_AUDIENCE } from '@nudge/types';
import jwt from 'jsonwebtoken';
import { type Clock, systemClock } from '../clock.ts';
import { type AppKey, keyObject } from './app-key.ts';

/** A user token signed with an `hs256` key of the app, and when it ends (ms since 1970). The key's secret must have 32 bytes. */
export function mintToken(options: {
  readonly key: AppKey;
  readonly userId: string;
  readonly ttlSeconds: number;
  readonly clock?: Clock;
  /** The user's tokens issued before are refused (ms): this one counts as issued then at the earliest, up to a second ahead of the clock. */
  readonly validAfter?: number | null;
}): {
  token: string;
  expiresAt: number;
} {
  const { key, userId, ttlSeconds, clock = systemClock, validAfter } = options;
  const secret = key.kind === 'hs256' ? keyObject(key) : undefined;
  if (secret === undefined) throw new Error(`Key ${key.kid} cannot sign tokens: an hs256 key with a secret of at least 32 bytes is needed`);
  const iat = Math.max(Math.floor(clock.now() / 1000), Math.ceil((validAfter ?? 0) / 1000));
  const exp = iat + ttlSeconds;
  const token = jwt.sign({ sub: userId, iss: key.appId, aud: TOKEN_AUDIENCE, iat, exp }, secret, { algorithm: 'HS256', keyid: key.kid });
  return { token, expiresAt: exp * 1000 };
}
