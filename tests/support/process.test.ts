import { expect, test } from 'vitest';
import { startChild } from './process.ts';

const script = new URL('fixtures/talkative.ts', import.meta.url).pathname;

test('finds lines of both outputs, passes arguments and environment, kills', async () => {
  await using child = await startChild({ script, args: ['wait'], env: { GREETING: 'hello' } });
  const [, greeting] = await child.waitForLine(/^greeting (.+)$/);
  expect(greeting).toBe('hello');
  await child.waitForLine(/^args wait$/);
  expect(await child.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
});

test('a process that ends without the line says so, with its output', async () => {
  await using child = await startChild({ script, args: ['end'], env: { GREETING: 'bye' } });
  await expect(child.waitForLine(/never/)).rejects.toThrow(/ended without a line[\s\S]*greeting bye/);
  expect(await child.exited).toEqual({ code: 3, signal: null });
});
