import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { eventually } from './testing/index.ts';

const main = new URL('./testing/fixtures/lifecycle-main.ts', import.meta.url).pathname;

/** A process of its own, since signals and exit codes belong to processes. */
function run(behaviour: string) {
  const child = spawn(process.execPath, ['--conditions=@nudge/source', main, behaviour], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = once(child, 'close').then(([code, signal]: (number | string | null)[]) => ({ code, signal, said }));
  return { child, ended, says: (text: string) => eventually(() => said.includes(text), 15_000) };
}

it('disposes on SIGTERM and ends with 0', async () => {
  const { child, ended, says } = run('well');
  await says('started');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, said: 'started\ndisposing\ndisposed\n' });
});

it('ends at once on a second signal', async () => {
  const { child, ended, says } = run('hang');
  await says('started');
  child.kill('SIGTERM');
  await says('disposing');
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: 130 });
});

it('takes the same signal right after the first for the same: Ctrl-C reaches a child of npm twice', async () => {
  const { child, ended, says } = run('hang');
  await says('started');
  child.kill('SIGINT');
  await says('disposing');
  child.kill('SIGINT');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 143 });
});

it('ends at the deadline when something stays open', async () => {
  const { child, ended, says } = run('leak');
  await says('started');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 1, said: 'started\ndisposing\ndisposed\n' });
});

it('says why it could not start, and ends with 1', async () => {
  const { code, said } = await run('fail-to-start').ended;
  expect(code).toBe(1);
  expect(said).toContain('could not start: no database');
});

it('says why it could not stop, and ends with 1', async () => {
  const { child, ended, says } = run('fail-to-stop');
  await says('started');
  child.kill('SIGTERM');
  const { code, said } = await ended;
  expect(code).toBe(1);
  expect(said).toContain('could not stop: cannot close');
});

it('disposes and ends with 1 after a failure that no one caught', async () => {
  const { code, said } = await run('throw-later').ended;
  expect(code).toBe(1);
  expect(said).toContain('a failure that no one caught');
  expect(said).toContain('disposed');
});
