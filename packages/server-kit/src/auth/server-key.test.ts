import { expect, it } from 'vitest';
import { NudgeError } from '../errors.ts';
import type { AppKey } from './app-key.ts';
import { createServerKeyVerifier, newServerKey } from './server-key.ts';

const made = newServerKey('my_app.1');
const stored: AppKey = { appId: 'my_app', kid: made.kid, kind: 'server', secretHash: made.secretHash, scopes: ['users'], retiredAt: null };
const keys = new Map([
  ['my_app.1', stored],
  ['my_app.2', { ...stored, kid: 'my_app.2', secretHash: null }],
]);
const verifier = createServerKeyVerifier({ directory: { serverKey: (kid) => keys.get(kid) } });
const codeOf = (key: string) => {
  try {
    verifier.verify(key);
  } catch (error) {
    if (error instanceof NudgeError) return error.code;
    throw error;
  }
  return 'accepted';
};

it('accepts the key as it was made, for an app whose id has an underscore', () => {
  expect(made.key).toMatch(/^nsk_my_app\.1_[0-9a-f]{64}$/);
  expect(verifier.verify(made.key)).toEqual({ appId: 'my_app', kid: 'my_app.1', scopes: ['users'] });
  expect(newServerKey('my_app.1').key).not.toBe(made.key);
});

it.each([
  ['another secret', `nsk_my_app.1_${'0'.repeat(64)}`],
  ['an empty secret', 'nsk_my_app.1_'],
  ['no secret', 'nsk_my_app.1'],
  ['a cut secret', made.key.slice(0, -1)],
  ['an unknown kid', made.key.replace('.1_', '.9_')],
  ['a key without a hash', made.key.replace('.1_', '.2_')],
  ['another prefix', made.key.replace('nsk_', 'nsx_')],
  ['the hash instead of the secret', `nsk_my_app.1_${made.secretHash.toString('hex')}`],
  ['a token', 'eyJhbGciOiJIUzI1NiJ9.e30.abc'],
  ['a very long key', `nsk_my_app.1_${'0'.repeat(100_000)}`],
  ['only the prefix', 'nsk_'],
])('refuses %s', (_, key) => {
  expect(codeOf(key)).toBe('token_invalid');
});

it('asks for a key that is missing', () => {
  expect(codeOf('')).toBe('token_missing');
});
