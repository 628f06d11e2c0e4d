import { createHmac, generateKeyPairSync } from 'node:crypto';
import type { ErrorCode } from '@nudge/types';
import {
  addKey,
  type Claims,
  claimsFor,
  craftToken,
  firstKey,
  type Header,
  makeKey,
  part,
  signature,
} from '../../protocol/support/tokens.ts';
import type { System } from '../../support/system.ts';

/** A token that nobody may come in with. */
export interface BadToken {
  readonly what: string;
  readonly token: string;
  readonly code: ErrorCode;
}

/** Every way in which a token can lie, for `userId` of the first app. Adds the keys that it needs. */
export async function badTokens(system: System, userId: string): Promise<BadToken[]> {
  const { app, otherApp } = system;
  const key = firstKey(app);
  const rsa = await addKey(system, app, 'rsa', 'RS256');
  const ec = await addKey(system, app, 'ec', 'ES256');
  const retired = await addKey(system, app, 'retired', 'HS256', { retired: true });
  const now = Math.floor(Date.now() / 1000);
  const claims = (changes: Claims = {}) => claimsFor(app, userId, changes);
  const withHeader = (header: Header, signer = key) => craftToken(signer, claims(), header);
  const unsigned = (header: Header, sig = '') => `${part({ typ: 'JWT', kid: key.kid, ...header })}.${part(claims())}.${sig}`;
  const good = craftToken(key, claims());
  const [head = '', body = '', sig = ''] = good.split('.');
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = other.publicKey.export({ format: 'jwk' });
  const byOther = { kid: rsa.kid, alg: 'RS256' as const, key: other.privateKey };
  /** The public key as an HMAC secret, the classic confusion of algorithms. */
  const confused = (signer: typeof rsa, alg: string) => {
    const text = `${part({ alg, typ: 'JWT', kid: signer.kid })}.${part(claims())}`;
    return `${text}.${createHmac('sha256', signer.publicKey ?? '')
      .update(text)
      .digest('base64url')}`;
  };

  const invalid: Record<string, string> = {
    'alg none': unsigned({ alg: 'none' }),
    'alg None': unsigned({ alg: 'None' }),
    'alg none with a signature': unsigned({ alg: 'none' }, sig),
    'no alg': withHeader({ alg: undefined }),
    'alg as a list': withHeader({ alg: ['HS256'] }),
    'alg HS512': withHeader({ alg: 'HS512' }),
    'no signature': `${head}.${body}.`,
    'two parts': `${head}.${body}`,
    'five parts': `${good}.x.y`,
    'the public RSA key as HMAC secret': confused(rsa, 'HS256'),
    'the public RSA key as HMAC secret under RS256': confused(rsa, 'RS256'),
    'the public EC key as HMAC secret': confused(ec, 'HS256'),
    'RS256 with an HS256 key': withHeader({ alg: 'RS256' }),
    'an RSA token under the EC key': craftToken({ ...rsa, kid: ec.kid }, claims()),
    'another secret': craftToken(makeKey(key.kid, 'HS256'), claims()),
    'another RSA key': craftToken(byOther, claims()),
    'a path in kid': withHeader({ kid: '../../../../dev/null' }),
    'a path behind the app in kid': withHeader({ kid: `${app.id}.1/../../x` }),
    'SQL in kid': withHeader({ kid: `${app.id}.1' or '1'='1` }),
    'SQL that brings its own secret in kid': withHeader({ kid: "x' union select 'secret' --" }),
    'a NUL in kid': withHeader({ kid: `${key.kid}\u0000` }),
    'kid as a list': withHeader({ kid: [key.kid] }),
    'kid as an object': withHeader({ kid: { toString: key.kid } }),
    'kid __proto__': withHeader({ kid: '__proto__' }),
    'kid of a prototype': withHeader({ kid: `${app.id}.constructor` }),
    'a long kid': withHeader({ kid: `${app.id}.${'1'.repeat(2_000)}` }),
    'no kid': withHeader({ kid: undefined }),
    'kid of the server key': withHeader({ kid: `${app.id}.server` }),
    'kid of another app': withHeader({ kid: firstKey(otherApp).kid }),
    'a retired key': craftToken(retired, claims()),
    'a jku header': withHeader({ jku: 'https://evil.example/keys.json' }),
    'a jku header and its key': withHeader({ jku: 'https://evil.example/keys.json' }, byOther),
    'a jwk header and its key': withHeader({ jwk }, byOther),
    'an x5u header': withHeader({ x5u: 'https://evil.example/cert.pem' }),
    'an x5c header': withHeader({ x5c: ['MIIB'] }),
    'a crit header': withHeader({ crit: ['exp'] }),
    'a b64 header': withHeader({ b64: false, crit: ['b64'] }),
    'no exp': craftToken(key, claims({ exp: undefined })),
    'exp in the year 10,000': craftToken(key, claims({ exp: 253_402_300_800 })),
    'exp beyond 2^53': craftToken(key, claims({ exp: 1e300 })),
    'exp as text': craftToken(key, claims({ exp: String(now + 600) })),
    'exp as null': craftToken(key, claims({ exp: null })),
    'exp as a list': craftToken(key, claims({ exp: [now + 600] })),
    'exp negative': craftToken(key, claims({ exp: -1 })),
    'exp a fraction': craftToken(key, claims({ exp: now + 600.5 })),
    'no iat': craftToken(key, claims({ iat: undefined })),
    'iat in the future': craftToken(key, claims({ iat: now + 600, exp: now + 1_200 })),
    'nbf in the future': craftToken(key, claims({ nbf: now + 600 })),
    'no aud': craftToken(key, claims({ aud: undefined })),
    'another aud': craftToken(key, claims({ aud: 'nudge2' })),
    'aud as a list': craftToken(key, claims({ aud: ['x', 'nudge'] })),
    'aud as an object': craftToken(key, claims({ aud: { nudge: true } })),
    'another iss': craftToken(key, claims({ iss: otherApp.id })),
    'iss as a list': craftToken(key, claims({ iss: [app.id] })),
    'no sub': craftToken(key, claims({ sub: undefined })),
    'an empty sub': craftToken(key, claims({ sub: '' })),
    'sub $system': craftToken(key, claims({ sub: '$system' })),
    'SQL in sub': craftToken(key, claims({ sub: "a' or 1=1 --" })),
    'a path in sub': craftToken(key, claims({ sub: '../admin' })),
    'a NUL in sub': craftToken(key, claims({ sub: 'a\u0000' })),
    'sub as a list': craftToken(key, claims({ sub: [userId] })),
    'a long sub': craftToken(key, claims({ sub: 'x'.repeat(65) })),
    'a changed payload': `${head}.${part(claims({ sub: 'somebody' }))}.${sig}`,
    'a changed header': `${part({ alg: 'HS256', kid: key.kid, x: 1 })}.${body}.${sig}`,
    'a payload that is no JSON': resigned(`${head}.${Buffer.from('not JSON').toString('base64url')}`, key),
    'a payload that is a list': resigned(`${head}.${part([claims()])}`, key),
    'a payload that is null': resigned(`${head}.${part(null)}`, key),
    'a payload of 100,000 lists': resigned(`${head}.${Buffer.from('['.repeat(1_500)).toString('base64url')}`, key),
    'a header that is no JSON': `e30x.${body}.${sig}`,
    'a header that is a list': `${part([])}.${body}.${sig}`,
    'a header that is null': `${part(null)}.${body}.${sig}`,
    'an empty header': `${part({})}.${body}.${sig}`,
    'no base64url': `${head}.${body}.!!!!`,
    'a JSON serialisation': JSON.stringify({ protected: head, payload: body, signature: sig }),
    'longer than a token may be': craftToken(key, claims({ pad: 'x'.repeat(5_000) })),
    'the server key': app.serverKey,
    'a word': 'null',
  };
  return [
    ...Object.entries(invalid).map(([what, token]) => ({ what, token, code: 'token_invalid' as const })),
    { what: 'expired', token: craftToken(key, claims({ iat: now - 7_200, exp: now - 3_600 })), code: 'token_expired' },
  ];
}

function resigned(text: string, key: ReturnType<typeof firstKey>): string {
  return `${text}.${signature(text, key)}`;
}
