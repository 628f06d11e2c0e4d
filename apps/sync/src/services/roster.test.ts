import { expect, test } from 'vitest';
import type { Standing } from '../store/pull-store.ts';
import type { Origin } from './origin.ts';
import { Roster } from './roster.ts';

const standing = (memberVersion: number, joinedSeq = 1, leftSeq: number | null = null): Standing => ({
  state: { appId: 'a', lastSeq: 9, oldestSeq: 1, history: 'full', memberVersion },
  member: { joinedSeq, leftSeq },
});
const read = (sentTick: number, arrivedTick: number, sentAt = 0, primary = true): Origin => ({ sentTick, arrivedTick, sentAt, primary });

function knowing(version: number): Roster {
  const roster = new Roster(version, 5000);
  roster.observe(version, read(1, 1));
  roster.learn(standing(version), 'alice');
  return roster;
}

test('a membership is trusted for as long as it says after the statement that confirmed it was sent', () => {
  const roster = knowing(3);
  expect(roster.joinedSeq('alice', 5000)).toBe(1);
  expect(roster.joinedSeq('alice', 5001)).toBeUndefined();
  expect(roster.joinedSeq('bob', 0)).toBeUndefined();
});

test('one read of the version confirms every member', () => {
  const roster = knowing(3);
  roster.learn(standing(3, 4), 'bob');
  roster.observe(3, read(2, 2, 4000));
  expect([roster.joinedSeq('alice', 9000), roster.joinedSeq('bob', 9000)]).toEqual([1, 4]);
});

test('a newer version ends all memberships, whoever saw it', () => {
  for (const origin of [read(2, 2, 100), read(2, 2, 100, false)]) {
    const roster = knowing(3);
    roster.observe(4, origin);
    expect(roster.joinedSeq('alice', 100)).toBeUndefined();
  }
  const roster = knowing(3);
  roster.raise(4, 2);
  expect(roster.joinedSeq('alice', 0)).toBeUndefined();
});

test('a replica confirms nothing', () => {
  const roster = knowing(3);
  roster.observe(3, read(2, 2, 4000, false));
  expect(roster.joinedSeq('alice', 5001)).toBeUndefined();
});

test('an older snapshot that arrives late neither confirms nor brings members back', () => {
  const roster = knowing(3);
  roster.observe(4, read(2, 9));
  roster.observe(3, read(8, 10, 100));
  roster.learn(standing(3), 'alice');
  expect(roster.joinedSeq('alice', 100)).toBeUndefined();
});

test('a primary that went back is believed once it was asked again', () => {
  const roster = knowing(7);
  roster.raise(9, 5);
  roster.observe(2, read(6, 6, 100));
  roster.learn(standing(2), 'alice');
  expect(roster.joinedSeq('alice', 100)).toBe(1);
});

test('whoever has left is not known', () => {
  const roster = knowing(3);
  roster.learn(standing(3, 1, 8), 'alice');
  expect(roster.knows('alice')).toBe(false);
});
