import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';
import { type Ending, planReconnect } from './reconnect.ts';

const lost: Ending = {
  error: { code: 'disconnected', retryable: true, retryAfterMs: undefined },
  said: undefined,
  openMs: 0,
  attempt: 0,
  renewable: false,
};
const refused = (code: Ending['error']['code'], retryable: boolean, retryAfterMs?: number): Ending => ({
  ...lost,
  error: { code, retryable, retryAfterMs },
});
const said = (code: number, retryAfterMs?: number): Ending => ({
  ...lost,
  said: { code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
});

describe('whether, when and with what to come back', () => {
  it.each<[string, Ending, ReturnType<typeof planReconnect>]>([
    ['a lost connection', lost, { type: 'retry', afterMs: 250, attempt: 1, renewToken: false }],
    ['the third failure in a row', { ...lost, attempt: 2 }, { type: 'retry', afterMs: 1_000, attempt: 3, renewToken: false }],
    ['one of many', { ...lost, attempt: 99 }, { type: 'retry', afterMs: 15_000, attempt: 100, renewToken: false }],
    [
      'a good connection after failures',
      { ...lost, attempt: 9, openMs: 10_000 },
      { type: 'retry', afterMs: 250, attempt: 1, renewToken: false },
    ],
    [
      'a short one after failures',
      { ...lost, attempt: 2, openMs: 9_999 },
      { type: 'retry', afterMs: 1_000, attempt: 3, renewToken: false },
    ],
    ['a refusal with a delay', refused('overloaded', true, 4_000), { type: 'retry', afterMs: 4_250, attempt: 1, renewToken: false }],
    ['a refusal for good', refused('user_banned', false), { type: 'stop' }],
    ['an expired token, no other to be had', refused('token_expired', false), { type: 'stop' }],
    [
      'an expired token',
      { ...refused('token_expired', false), renewable: true },
      { type: 'retry', afterMs: 250, attempt: 1, renewToken: true },
    ],
    ['a drain', said(3000, 2_000), { type: 'retry', afterMs: 2_250, attempt: 1, renewToken: false }],
    ['the last code that may return', said(3499), { type: 'retry', afterMs: 250, attempt: 1, renewToken: false }],
    ['a code that may not', { ...said(3502), renewable: true }, { type: 'stop' }],
    ['a code of the future that may not', said(3999), { type: 'stop' }],
    ['expiry, no other token to be had', said(3500), { type: 'stop' }],
    ['expiry', { ...said(3500), renewable: true }, { type: 'retry', afterMs: 250, attempt: 1, renewToken: true }],
    ['revocation', { ...said(3501), renewable: true }, { type: 'retry', afterMs: 250, attempt: 1, renewToken: true }],
  ])('%s', (_what, ending, plan) => {
    expect(planReconnect(ending, 0.5)).toEqual(plan);
  });

  it('jitters over the whole interval', () => {
    expect([0, 0.25, 1].map((random) => backoffMs({ baseMs: 100, capMs: 1_000 }, 3, random))).toEqual([0, 100, 400]);
    expect(backoffMs({ baseMs: 100, capMs: 1_000 }, 1_000, 1, 50)).toBe(1_050);
  });
});
