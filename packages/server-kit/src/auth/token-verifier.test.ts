import { createHmac, generateKeyPairSync } from 'node:crypto';
import { defaultLimits } from '@nudge/types';
import jwt from 'jsonwebtoken';
import { beforeEach, describe, expect, it } from 'vitest';
import { NudgeError } from '../errors.ts';
import { createLogger } from '../log.ts';
import { ManualClock } from '../testing/index.ts';
import { AppDirectory } from './app-directory.ts';
import type { AppKey } from './app-key.ts';
import { mintToken } from './mint-token.ts';
import { createTokenVerifier, type TokenVerifier } from './token-verifier.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const smallRsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const otherEc = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const pem = (key: typeof rsa.publicKey) => key.export({ type: 'spki', format: 'pem' }).toString();
const secret = 'a secret of at least 32 bytes, really';
const base = { appId: 'demo', scopes: [], retiredAt: null };
const keys: AppKey[] = [
  { ...base, kid: 'demo.1', kind: 'hs256', secret },
  { ...base, kid: 'demo.2', kind: 'rs256', publicKey: pem(rsa.publicKey) },
  { ...base, kid: 'demo.3', kind: 'es256', publicKey: pem(ec.publicKey) },
  { ...base, kid: 'demo.4', kind: 'hs256', secret: 'short' },
  { ...base, kid: 'demo.5', kind: 'hs256', secret, retiredAt: Date.UTC(2025, 0, 1) },
  { ...base, kid: 'demo.6', kind: 'server', secretHash: Buffer.alloc(32) },
  { ...base, kid: 'demo.7', kind: 'rs256', publicKey: pem(smallRsa.publicKey) },
  { ...base, kid: 'demo.8', kind: 'es256', publicKey: pem(p384.publicKey) },
  { ...base, kid: 'demo.9', kind: 'rs256', publicKey: 'not a key' },
  { ...base, kid: 'demo.10', kind: 'hs256', secret, retiredAt: Date.UTC(2026, 0, 1, 1) },
  { ...base, kid: 'demo.11', kind: 'rs256', publicKey: pem(ec.publicKey) },
  { ...base, appId: 'other', kid: 'other.1', kind: 'hs256', secret: 'the secret of another app, 32 bytes' },
];

let clock: ManualClock;
let held: AppKey[];
let directory: AppDirectory;
let tokens: TokenVerifier;
beforeEach(async () => {
  clock = new ManualClock();
  held = keys;
  directory = new AppDirectory({
    load: async () => ({ apps: [{ id: 'demo', epoch: 1 }], keys: held }),
    clock,
    log: createLogger({ name: 'test', level: 'silent' }),
  });
  await directory.start();
  tokens = createTokenVerifier({ directory, clock, limits: defaultLimits });
  return () => directory[Symbol.asyncDispose]();
});

const nowSeconds = () => clock.now() / 1000;
const claims = (over: object = {}) => ({ sub: 'alice', iss: 'demo', aud: 'nudge', iat: nowSeconds(), exp: nowSeconds() + 3600, ...over });
const without = (name: string) => Object.fromEntries(Object.entries(claims()).filter(([claim]) => claim !== name));
const sign = (payload: object, header: object = {}, key: jwt.Secret = secret, algorithm: jwt.Algorithm = 'HS256') =>
  jwt.sign(payload, key, {
    algorithm,
    header: { alg: algorithm, kid: 'demo.1', ...header },
    allowInvalidAsymmetricKeyTypes: true,
    allowInsecureKeySizes: true,
  });
/** A token put together by hand, for what no library would sign. */
const forge = (header: object | string, payload: object | string, key?: string) => {
  const part = (value: object | string) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const text = `${part(header)}.${part(payload)}`;
  return `${text}.${key === undefined ? '' : createHmac('sha256', key).update(text).digest('base64url')}`;
};
const codeOf = (token: string) => {
  try {
    tokens.verify(token);
  } catch (error) {
    if (error instanceof NudgeError) return error.code;
    throw error;
  }
  return 'accepted';
};

describe('tokens in order', () => {
  it.each([
    ['HS256', () => sign(claims())],
    ['RS256', () => sign(claims(), { kid: 'demo.2' }, rsa.privateKey, 'RS256')],
    ['ES256', () => sign(claims(), { kid: 'demo.3' }, ec.privateKey, 'ES256')],
  ])('%s', (_, token) => {
    const identity = tokens.verify(token());
    expect(identity).toMatchObject({ appId: 'demo', userId: 'alice', issuedAt: clock.now(), expiresAt: clock.now() + 3_600_000 });
  });

  it('a minted one', () => {
    const key = directory.signingKey('demo');
    if (key === undefined) throw new Error('no key');
    const { token, expiresAt } = mintToken({ key: keys[0] ?? key, userId: 'bob', ttlSeconds: 60, clock });
    expect(tokens.verify(token)).toMatchObject({ userId: 'bob', expiresAt });
  });

  it('with iat up to 60 s ahead, the longest life, and claims of their own', () => {
    expect(codeOf(sign(claims({ iat: nowSeconds() + 60 })))).toBe('accepted');
    expect(codeOf(sign(claims({ exp: nowSeconds() + defaultLimits.tokenLifetimeSeconds })))).toBe('accepted');
    expect(codeOf(sign(claims({ role: 'whatever' })))).toBe('accepted');
  });
});

describe('hostile tokens', () => {
  it.each<[string, () => string]>([
    ['garbage', () => 'garbage'],
    ['two dots', () => '..'],
    ['a token of 5,000 characters', () => `${sign(claims())}${'a'.repeat(5_000)}`],
    ['alg none', () => forge({ alg: 'none', kid: 'demo.1' }, claims())],
    ['alg none, signed', () => forge({ alg: 'none', kid: 'demo.1' }, claims(), secret)],
    ['alg nOnE', () => forge({ alg: 'nOnE', kid: 'demo.1' }, claims())],
    ['no alg', () => forge({ kid: 'demo.1' }, claims(), secret)],
    ['a list of algs', () => forge({ alg: ['HS256'], kid: 'demo.1' }, claims(), secret)],
    ['HS512 with the right secret', () => sign(claims(), {}, secret, 'HS512')],
    ['RSA public key as HMAC secret', () => forge({ alg: 'HS256', kid: 'demo.2' }, claims(), pem(rsa.publicKey))],
    ['EC public key as HMAC secret', () => forge({ alg: 'HS256', kid: 'demo.3' }, claims(), pem(ec.publicKey))],
    ['HS256 key named by an RS256 token', () => sign(claims(), { kid: 'demo.1' }, rsa.privateKey, 'RS256')],
    ['PS256 for an RS256 key', () => sign(claims(), { kid: 'demo.2' }, rsa.privateKey, 'PS256')],
    ['a foreign EC key', () => sign(claims(), { kid: 'demo.3' }, otherEc.privateKey, 'ES256')],
    ['a 1024-bit RSA key', () => sign(claims(), { kid: 'demo.7' }, smallRsa.privateKey, 'RS256')],
    ['an EC key held as RS256', () => sign(claims(), { kid: 'demo.11' }, rsa.privateKey, 'RS256')],
    ['a key that is none', () => sign(claims(), { kid: 'demo.9' }, rsa.privateKey, 'RS256')],
    ['a P-384 key held as ES256', () => forge({ alg: 'ES256', kid: 'demo.8' }, claims(), 'x')],
    ['another secret', () => sign(claims(), {}, 'another secret of at least 32 bytes')],
    ['no signature', () => `${sign(claims()).split('.').slice(0, 2).join('.')}.`],
    ['a cut signature', () => sign(claims()).slice(0, -2)],
    [
      'a changed payload',
      () => sign(claims()).replace(/\.[^.]+\./, `.${Buffer.from(JSON.stringify(claims({ sub: 'mallory' }))).toString('base64url')}.`),
    ],
    ['a secret of 5 bytes', () => forge({ alg: 'HS256', kid: 'demo.4' }, claims(), 'short')],
    ['an empty secret', () => forge({ alg: 'HS256', kid: 'demo.4' }, claims(), '')],
    ['a retired key', () => sign(claims(), { kid: 'demo.5' })],
    ['a server key', () => forge({ alg: 'HS256', kid: 'demo.6' }, claims(), secret)],
    ['no kid', () => forge({ alg: 'HS256' }, claims(), secret)],
    ['an unknown kid', () => sign(claims(), { kid: 'demo.99' })],
    ['a path as kid', () => sign(claims(), { kid: '../../dev/null' })],
    ['SQL as kid', () => sign(claims(), { kid: "demo.1' or '1'='1" })],
    ['a number as kid', () => forge({ alg: 'HS256', kid: 1 }, claims(), secret)],
    ['an object as kid', () => forge({ alg: 'HS256', kid: { toString: 'demo.1' } }, claims(), secret)],
    ['__proto__ as kid', () => sign(claims(), { kid: '__proto__' })],
    ['another app as issuer', () => sign(claims({ iss: 'other' }))],
    ['the key of another app', () => sign(claims(), { kid: 'other.1' }, 'the secret of another app, 32 bytes')],
    ['jku', () => sign(claims(), { jku: 'https://evil.example/keys' })],
    ['jwk', () => sign(claims(), { jwk: rsa.publicKey.export({ format: 'jwk' }) })],
    ['x5u', () => sign(claims(), { x5u: 'https://evil.example/cert' })],
    ['x5c', () => sign(claims(), { x5c: ['abc'] })],
    ['crit', () => sign(claims(), { crit: ['exp'] })],
    ['a header that is no object', () => forge('"HS256"', claims(), secret)],
    ['a header that is no JSON', () => forge('{', claims(), secret)],
    ['a payload that is no object', () => forge({ alg: 'HS256', kid: 'demo.1' }, '"alice"', secret)],
    ['a payload that is no JSON', () => forge({ alg: 'HS256', kid: 'demo.1' }, 'alice', secret)],
    ['a payload that is null', () => forge({ alg: 'HS256', kid: 'demo.1' }, 'null', secret)],
    ['no sub', () => sign(without('sub'))],
    ['no aud', () => sign(without('aud'))],
    ['no iss', () => sign(without('iss'))],
    ['no iat', () => forge({ alg: 'HS256', kid: 'demo.1' }, without('iat'), secret)],
    ['no exp', () => sign(without('exp'))],
    ['another aud', () => sign(claims({ aud: 'billing' }))],
    ['nudge among several aud', () => sign(claims({ aud: ['nudge', 'billing'] }))],
    ['a sub that is no user id', () => sign(claims({ sub: 'a/b' }))],
    ['the system as sub', () => sign(claims({ sub: '$system' }))],
    ['an empty sub', () => sign(claims({ sub: '' }))],
    ['a number as sub', () => forge({ alg: 'HS256', kid: 'demo.1' }, claims({ sub: 1 }), secret)],
    ['iat 61 s ahead', () => sign(claims({ iat: nowSeconds() + 61 }))],
    ['a fraction as iat', () => forge({ alg: 'HS256', kid: 'demo.1' }, claims({ iat: nowSeconds() - 0.5 }), secret)],
    ['text as exp', () => forge({ alg: 'HS256', kid: 'demo.1' }, claims({ exp: '9999999999' }), secret)],
    ['exp a second beyond the longest life', () => sign(claims({ exp: nowSeconds() + defaultLimits.tokenLifetimeSeconds + 1 }))],
    ['exp in the year 9999', () => sign(claims({ exp: 253_402_300_799 }))],
    [
      'exp beyond all numbers',
      () => forge({ alg: 'HS256', kid: 'demo.1' }, JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e400'), secret),
    ],
    ['exp before iat', () => sign(claims({ exp: nowSeconds() - 10, iat: nowSeconds() }))],
    ['nbf ahead', () => sign(claims({ nbf: nowSeconds() + 100 }))],
    ['expired and of another aud', () => sign(claims({ iat: nowSeconds() - 100, exp: nowSeconds() - 1, aud: 'billing' }))],
    [
      'expired with a wrong signature',
      () => sign(claims({ iat: nowSeconds() - 100, exp: nowSeconds() - 1 }), {}, 'another secret of at least 32 bytes'),
    ],
  ])('%s', (_, token) => {
    expect(codeOf(token())).toBe('token_invalid');
  });

  it('nothing is missing, an old one is expired', () => {
    expect(codeOf('')).toBe('token_missing');
    expect(codeOf(sign(claims({ iat: nowSeconds() - 100, exp: nowSeconds() })))).toBe('token_expired');
  });

  it('no refusal quotes the token', () => {
    const token = sign(claims(), {}, 'another secret of at least 32 bytes');
    try {
      tokens.verify(token);
    } catch (error) {
      expect(JSON.stringify(error)).not.toContain(token.slice(20, 40));
      expect(String(error)).not.toContain(token.slice(20, 40));
    }
  });
});

describe('verified tokens are remembered', () => {
  it('gives the same identity again', () => {
    const token = sign(claims());
    expect(tokens.verify(token)).toBe(tokens.verify(token));
  });

  it('until they expire', () => {
    const token = sign(claims());
    expect(codeOf(token)).toBe('accepted');
    clock.advance(3_600_000);
    expect(codeOf(token)).toBe('token_expired');
  });

  it('until their key retires by time', () => {
    const token = sign(claims({ exp: nowSeconds() + 7_200 }), { kid: 'demo.10' });
    expect(codeOf(token)).toBe('accepted');
    clock.advance(3_600_000);
    expect(codeOf(token)).toBe('token_invalid');
  });

  it('until their key is taken away or changed', async () => {
    const token = sign(claims());
    expect(codeOf(token)).toBe('accepted');
    held = keys.filter((key) => key.kid !== 'demo.1');
    await directory.refresh();
    expect(codeOf(token)).toBe('token_invalid');
    held = keys;
    await directory.refresh();
    expect(codeOf(token)).toBe('accepted');
    held = keys.map((key) => (key.kid === 'demo.1' ? { ...key, secret: 'a new secret of at least 32 bytes.' } : key));
    await directory.refresh();
    expect(codeOf(token)).toBe('token_invalid');
  });
});
