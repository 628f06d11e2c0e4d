import { ManualClock } from '@nudge/server-kit/testing';
import { expect, test } from 'vitest';
import { Batcher } from './batcher.ts';

interface Sent {
  readonly questions: readonly number[];
  readonly land: (answers: readonly string[]) => void;
  readonly crash: (cause: unknown) => void;
}

function batcherUnderTest(maxQuestions = 10, maxInFlight = 1) {
  const sent: Sent[] = [];
  const left: (() => void)[] = [];
  const clock = new ManualClock();
  let tick = 0;
  const batcher = new Batcher<number, string>({
    send: (questions) => {
      const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
      sent.push({ questions, land: resolve, crash: reject });
      left.shift()?.();
      return promise;
    },
    tick: () => ++tick,
    maxQuestions,
    maxInFlight,
    clock,
    deadlineMs: 1000,
  });
  const departure = (): Promise<void> => new Promise((resolve) => left.push(resolve));
  return { batcher, sent, clock, departure };
}

test('what comes up in one turn leaves together, what comes meanwhile leaves with the next', async () => {
  const { batcher, sent, departure } = batcherUnderTest();
  const first = departure();
  const a = batcher.ask(1);
  const b = batcher.ask(2);
  expect(a.sentAt).toBe(0);
  await first;
  const c = batcher.ask(3);
  const second = departure();
  sent[0]?.land(['one', 'two']);
  expect([await a.answer, await b.answer, a.sentAt, b.sentAt]).toEqual(['one', 'two', 1, 1]);
  await second;
  sent[1]?.land(['three']);
  expect([await c.answer, c.sentAt]).toEqual(['three', 2]);
  expect(sent.map(({ questions }) => questions)).toEqual([[1, 2], [3]]);
});

test('a failed batch fails those on board and nobody else', async () => {
  const { batcher, sent, departure } = batcherUnderTest(1);
  const first = departure();
  const a = batcher.ask(1);
  const b = batcher.ask(2);
  await first;
  const second = departure();
  sent[0]?.crash(new Error('gone'));
  await expect(a.answer).rejects.toThrow('gone');
  await second;
  sent[1]?.land(['two']);
  expect(await b.answer).toBe('two');
});

test('an answer too few fails the batch', async () => {
  const { batcher, sent, departure } = batcherUnderTest();
  const first = departure();
  const a = batcher.ask(1);
  await first;
  sent[0]?.land([]);
  await expect(a.answer).rejects.toThrow('0 answers to 1 questions');
});

test('several batches may be under way', async () => {
  const { batcher, sent, departure } = batcherUnderTest(2, 2);
  const first = departure();
  const second = departure();
  const answers = [1, 2, 3, 4, 5].map((n) => batcher.ask(n).answer);
  await Promise.all([first, second]);
  expect(sent.map(({ questions }) => questions)).toEqual([
    [1, 2],
    [3, 4],
  ]);
  const third = departure();
  sent[1]?.land(['three', 'four']);
  await third;
  sent[0]?.land(['one', 'two']);
  sent[2]?.land(['five']);
  expect(await Promise.all(answers)).toEqual(['one', 'two', 'three', 'four', 'five']);
});

test('a batch that hangs is given up, and the next one leaves', async () => {
  const { batcher, sent, clock, departure } = batcherUnderTest();
  const first = departure();
  const hanging = batcher.ask(1);
  await first;
  const waiting = batcher.ask(2);
  const second = departure();
  clock.advance(1000);
  await expect(hanging.answer).rejects.toMatchObject({ code: 'not_caught_up' });
  await second;
  sent[1]?.land(['two']);
  expect(await waiting.answer).toBe('two');
  sent[0]?.land(['one, too late']);
  expect(clock.pending).toBe(0);
});
