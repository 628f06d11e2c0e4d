import { expect, test } from 'vitest';
import { Turnstile } from './turnstile.ts';

const never = new AbortController().signal;

test('no more than its places are inside, and the first to come is the first to enter', async () => {
  const turnstile = new Turnstile(2);
  const order: number[] = [];
  const guests = [0, 1, 2, 3].map((i) => {
    const entered = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const pass = turnstile.pass(async () => {
      order.push(i);
      entered.resolve();
      await gate.promise;
    }, never);
    return { entered: entered.promise, leave: gate.resolve, pass };
  });
  expect([order, turnstile.waiting]).toEqual([[0, 1], 2]);
  guests[1]?.leave();
  await guests[2]?.entered;
  expect([order, turnstile.waiting]).toEqual([[0, 1, 2], 1]);
  guests[0]?.leave();
  await guests[3]?.entered;
  expect(order).toEqual([0, 1, 2, 3]);
  for (const { leave } of guests) leave();
  await Promise.all(guests.map(({ pass }) => pass));
  expect(await turnstile.pass(async () => 'again', never)).toBe('again');
});

test('whoever goes away while waiting leaves the queue', async () => {
  const turnstile = new Turnstile(1);
  const gate = Promise.withResolvers<void>();
  const inside = turnstile.pass(() => gate.promise, never);
  const impatient = new AbortController();
  const gone = turnstile.pass(async () => 'late', impatient.signal);
  const next = turnstile.pass(async () => 'next', never);
  impatient.abort(new Error('client gone'));
  await expect(gone).rejects.toThrow('client gone');
  gate.resolve();
  await inside;
  expect(await next).toBe('next');
  await expect(turnstile.pass(async () => 'in', AbortSignal.abort(new Error('gone already')))).resolves.toBe('in');
});

test('work that fails gives its place back', async () => {
  const turnstile = new Turnstile(1);
  await expect(
    turnstile.pass(async () => {
      throw new Error('failed');
    }, never),
  ).rejects.toThrow('failed');
  expect(await turnstile.pass(async () => 'next', never)).toBe('next');
});
