import { describe, expect, it } from 'vitest';
import { type PolicySession, sessionsToEnd, surplusSessions } from './session-policy.ts';

const session = (n: number, platform?: string): PolicySession => ({ sessionId: `s${n}`, deviceId: `d${n}`, connectedAt: n, platform });
const three = [session(3, 'ios'), session(1, 'web'), session(2)];
const newcomer = { sessionId: 'new', deviceId: 'new', platform: 'web' };
const ended = (verdict: ReturnType<typeof sessionsToEnd>) => (verdict.admitted ? verdict.end.map(({ sessionId }) => sessionId) : 'refused');

describe('sessionsToEnd', () => {
  it('ends nothing where there is no rule', () => {
    expect(ended(sessionsToEnd(undefined, three, newcomer))).toEqual([]);
    expect(ended(sessionsToEnd({}, three, newcomer))).toEqual([]);
  });

  it('ends the oldest above the number, however they are listed', () => {
    expect(ended(sessionsToEnd({ maxSessions: 4 }, three, newcomer))).toEqual([]);
    expect(ended(sessionsToEnd({ maxSessions: 3 }, three, newcomer))).toEqual(['s1']);
    expect(ended(sessionsToEnd({ maxSessions: 1 }, three, newcomer))).toEqual(['s1', 's2', 's3']);
  });

  it('leaves one on each platform, those without a name being one platform together', () => {
    expect(ended(sessionsToEnd({ onePerPlatform: true }, three, newcomer))).toEqual(['s1']);
    expect(ended(sessionsToEnd({ onePerPlatform: true }, three, { ...newcomer, platform: undefined }))).toEqual(['s2']);
    expect(ended(sessionsToEnd({ onePerPlatform: true }, three, { ...newcomer, platform: 'tv' }))).toEqual([]);
  });

  it('counts what the platform ends before the number ends more', () => {
    expect(ended(sessionsToEnd({ onePerPlatform: true, maxSessions: 3 }, three, newcomer))).toEqual(['s1']);
    expect(ended(sessionsToEnd({ onePerPlatform: true, maxSessions: 2 }, three, newcomer))).toEqual(['s1', 's2']);
  });

  it('refuses the newcomer instead where the app says so', () => {
    expect(ended(sessionsToEnd({ maxSessions: 3, whenFull: 'refuse' }, three, newcomer))).toBe('refused');
    expect(ended(sessionsToEnd({ maxSessions: 4, whenFull: 'refuse' }, three, newcomer))).toEqual([]);
    expect(ended(sessionsToEnd({ maxSessions: 3, whenFull: 'end_oldest' }, three, newcomer))).toEqual(['s1']);
  });

  it('counts neither the newcomer itself nor what its device left behind', () => {
    expect(ended(sessionsToEnd({ maxSessions: 3, whenFull: 'refuse' }, three, { ...newcomer, sessionId: 's1' }))).toEqual([]);
    expect(ended(sessionsToEnd({ maxSessions: 3, whenFull: 'refuse' }, three, { ...newcomer, deviceId: 'd2' }))).toEqual([]);
  });

  it("keeps the server's own bound", () => {
    expect(ended(sessionsToEnd(undefined, three, newcomer, 4))).toEqual([]);
    expect(ended(sessionsToEnd(undefined, three, newcomer, 3))).toBe('refused');
    expect(ended(sessionsToEnd({ maxSessions: 100 }, three, newcomer, 3))).toBe('refused');
    expect(ended(sessionsToEnd({ maxSessions: 3 }, three, newcomer, 3))).toEqual(['s1']);
  });
});

describe('surplusSessions', () => {
  const surplus = (...args: Parameters<typeof surplusSessions>) => surplusSessions(...args).map(({ sessionId }) => sessionId);
  const permutations = [three, [...three].reverse(), [session(2), session(3, 'ios'), session(1, 'web')]];

  it('leaves the newest, in whatever order the sessions are listed', () => {
    for (const sessions of permutations) {
      expect(surplus({ maxSessions: 1 }, sessions)).toEqual(['s1', 's2']);
      expect(surplus({ maxSessions: 3 }, sessions)).toEqual([]);
    }
    expect(surplus({ onePerPlatform: true }, [...three, session(4, 'web'), session(5)])).toEqual(['s1', 's2']);
  });

  it('leaves the oldest where newcomers are refused', () => {
    for (const sessions of permutations) expect(surplus({ maxSessions: 1, whenFull: 'refuse' }, sessions)).toEqual(['s2', 's3']);
  });

  it('tells sessions of the same moment apart by their ids', () => {
    const twins = [session(1), { ...session(2), connectedAt: 1 }];
    expect(surplus({ maxSessions: 1 }, twins)).toEqual(surplus({ maxSessions: 1 }, twins.toReversed()));
    expect(surplus({ maxSessions: 1 }, twins)).toEqual(['s1']);
  });

  it('ends what a device left behind, in any case', () => {
    const again = { ...session(4), deviceId: 'd2' };
    for (const whenFull of ['refuse', 'end_oldest'] as const) {
      expect(surplus({ maxSessions: 3, whenFull }, [...three, again])).toEqual(['s2']);
    }
  });
});
