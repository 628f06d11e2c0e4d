import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { identifyProcess, listProcesses, pidIsTaken, signalProcess } from './process-table.ts';

test('a process has one identity for life, and none afterwards', async () => {
  const child = spawn('/bin/sleep', ['1000']);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  const identity = await identifyProcess(pid);
  expect(identity).toMatchObject({ pid });
  expect(await identifyProcess(pid)).toEqual(identity);
  expect(identity).not.toEqual(await identifyProcess(process.pid));
  expect((await listProcesses()).find((found) => found.pid === pid)?.command).toBe('/bin/sleep 1000');
  expect(pidIsTaken(pid)).toBe(true);

  const ended = once(child, 'exit');
  signalProcess(pid, 'SIGKILL');
  await ended;
  expect(await identifyProcess(pid)).toBeUndefined();
  expect(pidIsTaken(pid)).toBe(false);
  signalProcess(pid, 'SIGKILL');
});
