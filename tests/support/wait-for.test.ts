import { expect, test } from 'vitest';
import { waitFor } from './wait-for.ts';

test('returns the first thing the check answers with', async () => {
  let looks = 0;
  const found = await waitFor('a third look', () => ++looks === 3 && `look ${looks}`, { intervalMs: 1 });
  expect(found).toBe('look 3');
});

test('zero and the empty string are answers', async () => {
  expect(await waitFor('zero', () => 0)).toBe(0);
  expect(await waitFor('nothing written', () => '')).toBe('');
});

test('a check that throws is asked again', async () => {
  let looks = 0;
  const found = await waitFor(
    'recovery',
    () => {
      looks += 1;
      if (looks === 1) throw new Error('not yet');
      return looks;
    },
    { intervalMs: 1 },
  );
  expect(found).toBe(2);
});

test('looks once more after a time in which nothing could come', async () => {
  const began = performance.now();
  let came = false;
  setTimeout(() => {
    came = true;
  }, 0);
  const check = () => {
    while (!came && performance.now() < began + 20);
    return came;
  };
  expect(await waitFor('a late word', check, { timeoutMs: 5, intervalMs: 5 })).toBe(true);
});

test('gives up with what was waited for and what was seen last', async () => {
  const options = { timeoutMs: 5, intervalMs: 1 };
  await expect(waitFor('rain', () => null, options)).rejects.toThrow('waited 5 ms for rain; at last saw null');
  await expect(waitFor('rain', () => Promise.reject(new Error('no clouds')), options)).rejects.toThrow(
    'at last the check failed: no clouds',
  );
});
