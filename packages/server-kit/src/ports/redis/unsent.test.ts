import { expect, it } from 'vitest';
import { Unsent } from './unsent.ts';

const take = (unsent: Unsent) => unsent.take(() => true).map(({ topic, message }) => ({ topic, ...message }));

it('keeps the newest of what supersedes each other, per topic', () => {
  const unsent = new Unsent(100);
  for (const topic of ['a', 'b']) {
    for (const seq of [3, 7, 5]) unsent.keep({ topic, message: { kind: 'key', log: 'c/1', seq, ...(seq === 3 ? { direct: true } : {}) } });
    unsent.keep({ topic, message: { kind: 'key', log: 'c/2', seq: 1 } });
    unsent.keep({ topic, message: { kind: 'control', conversationId: '1', memberVersion: 4, head: 2 } });
    unsent.keep({ topic, message: { kind: 'control', conversationId: '1', memberVersion: 3, head: 9 } });
    unsent.keep({ topic, message: { kind: 'receipt', conversationId: '1', userId: 'u', readSeq: 2 } });
    unsent.keep({ topic, message: { kind: 'receipt', conversationId: '1', userId: 'u', deliveredSeq: 4 } });
    for (let at = 0; at < 3; at++) unsent.keep({ topic, message: { kind: 'user' } });
    unsent.keep({ topic, message: { kind: 'kick', reason: 'session_replaced', sessionId: 's' } });
    // Later they would end sessions that began after them.
    for (const which of [{}, { deviceId: 'd' }]) unsent.keep({ topic, message: { kind: 'kick', reason: 'kicked', ...which } });
    unsent.keep({ topic, message: { kind: 'packet', text: 'typing' } });
  }
  const expected = (topic: string) => [
    { topic, kind: 'key', log: 'c/1', seq: 7, direct: true },
    { topic, kind: 'key', log: 'c/2', seq: 1 },
    { topic, kind: 'control', conversationId: '1', memberVersion: 4, head: 9 },
    { topic, kind: 'receipt', conversationId: '1', userId: 'u', readSeq: 2, deliveredSeq: 4 },
    { topic, kind: 'user' },
    { topic, kind: 'kick', reason: 'session_replaced', sessionId: 's' },
  ];
  expect(take(unsent)).toEqual([...expected('a'), ...expected('b')]);
  expect(unsent.size).toBe(0);
});

it('is bounded, and takes out only what it is asked for', () => {
  const unsent = new Unsent(2);
  for (const topic of ['a', 'b', 'c']) unsent.keep({ topic, message: { kind: 'user' } });
  expect(unsent.size).toBe(2);
  expect(unsent.take((topic) => topic === 'c')).toHaveLength(1);
  expect(take(unsent)).toEqual([{ topic: 'b', kind: 'user' }]);
});
