import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePorts } from '../support/free-ports.ts';
import { type Child, startChild } from '../support/process.ts';
import { createTempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { isAlive } from './support/alive.ts';

const launcher = new URL('../../apps/standalone/src/cluster/main.ts', import.meta.url).pathname;
const demo = new URL('../../apps/standalone/src/demo/terminal/main.ts', import.meta.url).pathname;
const processes = ['gateway-1', 'gateway-2', 'api-1', 'api-2', 'sync-1', 'sync-2', 'postgres', 'standby', 'redis'];

/** Pids in the table that the launcher shows. */
function shown({ lines }: Child): Map<string, number> {
  const rows = lines.map((line) => /^ {2}(\S+(?: \S+)?) +(\d+) +\d+ +(?:-|http:\S+) +\w+$/.exec(line)).filter((row) => row !== null);
  return new Map(rows.map(([, name = '', pid]) => [name, Number(pid)]));
}

test('npm run cluster: shows what runs where, takes the demo, names and replaces what dies, and ends all of it', async () => {
  await using dir = await createTempDir('cluster');
  const port = await freePorts(24);
  await using child = await startChild({ script: launcher, env: { DATA_DIR: dir.path, PORT: String(port) }, cwd: dir.path });
  await child.waitForLine(/^Try it:/, 120_000);
  const pids = shown(child);
  expect([...pids.keys()].sort()).toEqual([...processes, 'front door'].sort());
  expect(pids.get('front door')).toBe(child.pid);

  await using story = await startChild({ script: demo, args: [join(dir.path, 'demo.json')] });
  expect(await story.exited, story.lines.join('\n')).toEqual({ code: 0, signal: null });
  expect(story.lines.join('\n')).toContain('The same conversation on every device');

  for (const name of ['gateway-1', 'redis']) {
    process.kill(pids.get(name) ?? 0, 'SIGKILL');
    await child.waitForLine(new RegExp(`${name} \\(pid ${pids.get(name)}\\) ended by SIGKILL`));
    await child.waitForLine(new RegExp(`${name} is back`), 60_000);
  }
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  expect(answer.status).toBe(200);

  expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(child.lines.at(-1)).toMatch(/stopped$/);
  for (const name of processes) expect(isAlive(pids.get(name) ?? 0), `${name} has ended`).toBe(false);
  expect(existsSync(join(dir.path, 'demo.json')), 'nobody is sent to what does not run').toBe(false);
}, 240_000);

test('a start that cannot succeed says why and leaves nothing behind', async () => {
  await using dir = await createTempDir('cluster');
  const port = await freePorts(24);
  const taken = createServer().listen(port, '127.0.0.1');
  await once(taken, 'listening');
  try {
    await using child = await startChild({ script: launcher, env: { DATA_DIR: dir.path, PORT: String(port) }, cwd: dir.path });
    expect(await child.exited).toEqual({ code: 1, signal: null });
    expect(child.lines.at(-1)).toBe(`could not start: 127.0.0.1:${port} is in use: stop what listens there, or set PORT to a free one`);
    expect(existsSync(join(dir.path, 'cluster', 'postmaster.pid')), 'PostgreSQL was stopped').toBe(false);
    expect(existsSync(join(dir.path, 'standby', 'postmaster.pid'))).toBe(false);
  } finally {
    taken.close();
  }
}, 180_000);

test('when the launcher dies without a word everything else ends too', async () => {
  await using dir = await createTempDir('cluster');
  await using child = await startChild({ script: launcher, env: { DATA_DIR: dir.path, PORT: String(await freePorts(24)) }, cwd: dir.path });
  await child.waitForLine(/^Try it:/, 120_000);
  const pids = shown(child);
  await child.kill('SIGKILL');
  await waitFor('everything to end', () => processes.every((name) => !isAlive(pids.get(name) ?? 0)), { timeoutMs: 60_000 });
}, 240_000);
