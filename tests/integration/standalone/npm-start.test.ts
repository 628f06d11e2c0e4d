import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createTempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const READY_MS = 60_000;

/** `npm start` as the leader of a process group, as a terminal runs it. */
async function npmStart(dataDir: string) {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn('npm', ['start'], {
    cwd: repository,
    env: { PATH, HOME, PORT: '0', DATA_DIR: dataDir },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const ended = once(child, 'close').then(([code, signal]: (number | string | null)[]) => ({ code, signal }));
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  const running = () => {
    try {
      return process.kill(-pid, 0);
    } catch {
      return false;
    }
  };
  await waitFor('npm start is ready', () => said.includes('Nudge is ready') || child.exitCode !== null, { timeoutMs: READY_MS });
  return {
    pid,
    ended,
    running,
    said: () => said,
    [Symbol.dispose]() {
      if (running()) process.kill(-pid, 'SIGKILL');
    },
  };
}

const there = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

test('Ctrl-C ends npm start with 0, as SIGTERM to npm alone does; nothing is left running, and the data serve again', async () => {
  await using dir = await createTempDir('npm-start');
  for (const stop of [(pid: number) => process.kill(-pid, 'SIGINT'), (pid: number) => process.kill(pid, 'SIGTERM')]) {
    using nudge = await npmStart(dir.path);
    expect(nudge.said()).toContain('Nudge is ready');
    stop(nudge.pid);
    expect(await nudge.ended).toEqual({ code: 0, signal: null });
    expect(await there(join(dir.path, 'demo.json'))).toBe(false);
    expect(await there(join(dir.path, 'cluster', 'postmaster.pid'))).toBe(false);
    await waitFor('its process group is empty', () => !nudge.running());
  }
});
