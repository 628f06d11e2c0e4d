import { type Limits, TOKEN_AUDIENCE, type TokenClaims, tokenClaimsSchema, tokenKidSchema } from '@nudge/types';
import jwt from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import { type Clock, systemClock } from '../clock.ts';
import { NudgeError } from '../errors.ts';
import { noRevocations, type Revocations } from '../ports/revocations.ts';
import type { AppDirectory } from './app-directory.ts';
import { type AppKey, algorithmOf, isLive, keyObject } from './app-key.ts';
import type { Identity } from './identity.ts';

/** Longest token looked at, characters. */
export const maxTokenLength = 4_096;

/** How far ahead of this clock a token may say it was issued, seconds. */
const issuedAheadSeconds = 60;

/** Header parameters that name a key or change how the signature is read: such a token wants to choose its own judge. */
const refusedHeaders = ['jku', 'jwk', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64'] as const;

export interface TokenVerifier {
  /** Who the token stands for; throws a {@link NudgeError} `token_missing`, `token_invalid`, `token_expired`, `token_revoked`, or
   * `database_unavailable` while what was revoked is not known. */
  verify(token: string): Identity;
}

export interface TokenVerifierOptions {
  readonly directory: Pick<AppDirectory, 'findKey' | 'version'>;
  /** Tokens taken back; none where absent. While it is not fresh no token is vouched for. */
  readonly revocations?: Pick<Revocations, 'isRevoked' | 'isFresh'>;
  readonly clock?: Clock;
  readonly limits: Pick<Limits, 'tokenLifetimeSeconds'>;
  /** Verified tokens remembered. */
  readonly cached?: number;
}

/**
 * Verifies user tokens (protocol: "Tokens"). A verified token is remembered until it expires, its key retires or any key changes, so that
 * verifying it again costs a map lookup; refused ones are not, so garbage takes no memory.
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { directory, clock = systemClock, limits, revocations = noRevocations } = options;
  const verified = new LRUCache<string, { identity: Identity; key: AppKey }>({
    max: options.cached ?? 20_000,
  });
  let version = directory.version;

  return {
    verify(token) {
      if (directory.version !== version) {
        verified.clear();
        version = directory.version;
      }
      if (!revocations.isFresh())
        throw new NudgeError('database_unavailable', { detail: 'what was revoked could not be read', retryAfterMs: 2_000 });
      const now = clock.now();
      const known = verified.get(token);
      if (known !== undefined) {
        if (known.identity.expiresAt <= now) throw new NudgeError('token_expired');
        if (isLive(known.key, now)) return notRevoked(known.identity, revocations);
        verified.delete(token);
      }
      if (token.length === 0) throw new NudgeError('token_missing');
      if (token.length > maxTokenLength) throw invalid('longer than a token may be');
      const key = chooseKey(token, directory);
      const identity = judge(checkSignature(token, key, now), key, now, limits.tokenLifetimeSeconds);
      notRevoked(identity, revocations);
      verified.set(token, { identity, key });
      return identity;
    },
  };
}

function notRevoked(identity: Identity, revocations: Pick<Revocations, 'isRevoked'>): Identity {
  if (revocations.isRevoked(identity.appId, identity.userId, identity.issuedAt)) throw new NudgeError('token_revoked');
  return identity;
}

/** The key the header names, if the header is one that this key's tokens may have. */
function chooseKey(token: string, directory: Pick<AppDirectory, 'findKey'>): AppKey {
  const header = readHeader(token);
  for (const name of refusedHeaders) if (Object.hasOwn(header, name)) throw invalid(`a header parameter that is not accepted: ${name}`);
  const kid = tokenKidSchema.safeParse(header.kid);
  if (!kid.success) throw invalid('kid must be <appId>.<n>');
  const key = directory.findKey(kid.data.slice(0, kid.data.indexOf('.')), kid.data);
  if (key === undefined || key.kind === 'server') throw invalid('the key is not known or no longer in use');
  if (header.alg !== algorithmOf(key)) throw invalid('the algorithm is not the one of this key');
  return key;
}

function readHeader(token: string): Record<string, unknown> {
  const end = token.indexOf('.');
  if (end <= 0) throw invalid('not a JSON Web Token');
  try {
    const header: unknown = JSON.parse(Buffer.from(token.slice(0, end), 'base64url').toString('utf8'));
    if (typeof header === 'object' && header !== null && !Array.isArray(header)) return header as Record<string, unknown>;
  } catch {
    // Falls through to the refusal: the parser's message would quote the token.
  }
  throw invalid('not a JSON Web Token');
}

function checkSignature(token: string, key: AppKey, now: number): TokenClaims {
  const algorithm = algorithmOf(key);
  const secret = keyObject(key);
  if (algorithm === undefined || secret === undefined) throw invalid('the key cannot verify tokens');
  let payload: unknown;
  try {
    // Expiry is judged last, so that only a token that is otherwise in order is told to be expired.
    payload = jwt.verify(token, secret, {
      algorithms: [algorithm],
      audience: TOKEN_AUDIENCE,
      issuer: key.appId,
      clockTimestamp: Math.floor(now / 1000),
      ignoreExpiration: true,
    });
  } catch (cause) {
    throw invalid('signature, audience, issuer or start do not hold', cause);
  }
  const claims = tokenClaimsSchema.safeParse(payload);
  if (!claims.success) throw invalid('sub, aud, iss, iat and exp are required in their form');
  return claims.data;
}

function judge(claims: TokenClaims, key: AppKey, now: number, lifetimeSeconds: number): Identity {
  const { sub, iss, iat, exp } = claims;
  if (iss !== key.appId) throw invalid('iss is not the app of the key');
  if (iat > now / 1000 + issuedAheadSeconds) throw invalid('iat lies in the future');
  if (exp <= iat) throw invalid('exp must lie after iat');
  if (exp - iat > lifetimeSeconds) throw invalid(`exp may lie at most ${lifetimeSeconds} s after iat (tokenLifetimeSeconds)`);
  if (exp * 1000 <= now) throw new NudgeError('token_expired');
  return {
    appId: key.appId,
    userId: sub,
    issuedAt: iat * 1000,
    expiresAt: exp * 1000,
    kid: key.kid,
  };
}

function invalid(detail: string, cause?: unknown): NudgeError {
  return new NudgeError('token_invalid', { detail, cause });
}
