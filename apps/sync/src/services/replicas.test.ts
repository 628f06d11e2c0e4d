import { ManualClock } from '@nudge/server-kit/testing';
import { expect, test } from 'vitest';
import { NaiveLog } from '../testing/naive-log.ts';
import { Replicas } from './replicas.ts';

const [a, b] = [new NaiveLog().store(), new NaiveLog().store()];

function setUp() {
  const clock = new ManualClock();
  return { clock, replicas: new Replicas([a, b], clock, 1_600) };
}

test('replicas take turns', () => {
  const { replicas } = setUp();
  expect([1, 2, 3, 4].map(() => replicas.pick())).toEqual([b, a, b, a]);
  expect(new Replicas([], new ManualClock(), 1).pick()).toBeUndefined();
});

test('one that failed is left alone for the time set, and taken again after it', () => {
  const { clock, replicas } = setUp();
  replicas.failed(a);
  expect([1, 2, 3].map(() => replicas.pick())).toEqual([b, b, b]);
  replicas.failed(b);
  expect(replicas.pick()).toBeUndefined();
  clock.advance(1_600);
  expect(new Set([replicas.pick(), replicas.pick()])).toEqual(new Set([a, b]));
});

test('one that is late again and again rests longer each time, until it answers', () => {
  const { clock, replicas } = setUp();
  replicas.failed(b);
  const restOf = (store: typeof a): number => {
    replicas.late(store);
    let rested = 0;
    for (; ![replicas.pick(), replicas.pick()].includes(store); rested += 50) {
      replicas.failed(b);
      clock.advance(50);
    }
    return rested;
  };
  expect([restOf(a), restOf(a), restOf(a), restOf(a), restOf(a), restOf(a)]).toEqual([100, 200, 400, 800, 1_600, 1_600]);
  replicas.answered(a);
  expect(restOf(a)).toBe(100);
});
