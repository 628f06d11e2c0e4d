import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { NudgeError } from '../errors.ts';
import type { AppDirectory } from './app-directory.ts';
import type { ServerIdentity } from './identity.ts';

const prefix = 'nsk_';
/** Longest key looked at, characters. */
const maxLength = 256;

export interface ServerKeyVerifier {
  /** Whom the key stands for; throws a {@link NudgeError} `token_missing` or `token_invalid`. */
  verify(key: string): ServerIdentity;
}

/** Verifies server keys: `nsk_<kid>_<secret>`. A known and an unknown kid cost the same: one hash and one comparison in constant time. */
export function createServerKeyVerifier(options: { readonly directory: Pick<AppDirectory, 'serverKey'> }): ServerKeyVerifier {
  const nobody = randomBytes(32);
  return {
    verify(key) {
      if (key.length === 0) throw new NudgeError('token_missing');
      // An app id may contain `_`; the secret, being hexadecimal, does not.
      const cut = key.lastIndexOf('_');
      if (key.length > maxLength || !key.startsWith(prefix) || cut <= prefix.length) throw refused();
      const found = options.directory.serverKey(key.slice(prefix.length, cut));
      const expected = found?.secretHash?.length === 32 ? found.secretHash : undefined;
      const matches = timingSafeEqual(hashServerSecret(key.slice(cut + 1)), expected ?? nobody);
      if (!matches || found === undefined || expected === undefined) throw refused();
      return { appId: found.appId, kid: found.kid, scopes: found.scopes };
    },
  };
}

/** What is stored of a server key's secret. A plain hash suffices: the secret has 256 random bits. */
export function hashServerSecret(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

/** A new server key. `key` is shown once, `kid` (`<appId>.<n>`) and `secretHash` are stored. */
export function newServerKey(kid: string): {
  key: string;
  kid: string;
  secretHash: Buffer;
} {
  const secret = randomBytes(32).toString('hex');
  return {
    key: `${prefix}${kid}_${secret}`,
    kid,
    secretHash: hashServerSecret(secret),
  };
}

function refused(): NudgeError {
  return new NudgeError('token_invalid', {
    detail: 'a server key (nsk_<kid>_<secret>) in use is required',
  });
}
