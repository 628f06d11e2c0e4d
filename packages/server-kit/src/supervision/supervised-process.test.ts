import { execPath } from 'node:process';
import { describe, expect, it } from 'vitest';
import { eventually } from '../testing/index.ts';
import { type ProcessEvent, SupervisedProcess, type SupervisedProcessOptions } from './supervised-process.ts';

/** Says its pid and then lives until it is told to end. */
const idle = 'process.on("SIGTERM", () => { console.log("told"); process.exit(0); }); console.log("up"); setInterval(() => {}, 1000);';

async function start(script: string, options: Partial<SupervisedProcessOptions> = {}) {
  const lines: string[] = [];
  const events: ProcessEvent[] = [];
  const supervised = await SupervisedProcess.start({
    name: 'it',
    command: [execPath, '-e', script],
    env: {},
    check: async () => lines.includes('up'),
    stopMs: 20_000,
    onLine: (line) => lines.push(line),
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { supervised, lines, events };
}

describe('a supervised process', () => {
  it('serves, and ends when it is told to', async () => {
    const { supervised, lines, events } = await start(idle);
    expect(supervised.state).toBe('serving');
    expect(events).toEqual([{ type: 'serving', pid: supervised.pid, again: false }]);
    await supervised.stop();
    expect(supervised.state).toBe('stopped');
    expect(lines).toEqual(['up', 'told']);
    expect(events).toHaveLength(1);
  });

  it('that is killed is named and comes back with another pid', async () => {
    const { supervised, events } = await start(idle);
    await using _ = supervised;
    const { pid } = supervised;
    supervised.signal('SIGKILL');
    await eventually(() => supervised.starts === 2 && supervised.state === 'serving', 20_000);
    expect(supervised.pid).not.toBe(pid);
    expect(events.slice(1)).toMatchObject([
      { type: 'ended', pid, end: { code: null, signal: 'SIGKILL' }, restartInMs: 200 },
      { type: 'serving', pid: supervised.pid, again: true },
    ]);
  });

  it('that never serves is refused with its last words, and nothing of it is left', async () => {
    await expect(start('console.log("no such port"); process.exit(3)')).rejects.toThrow(
      /it did not start: it ended with code 3[\s\S]*no such port/,
    );
  });

  it('that ignores being told is killed when its time is up', async () => {
    const { supervised } = await start('process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000);', { stopMs: 200 });
    await supervised.stop();
    expect(supervised.state).toBe('stopped');
  });

  it('is restarted as an operator would', async () => {
    const { supervised, lines, events } = await start(idle);
    await using _ = supervised;
    await supervised.restart();
    expect([supervised.state, supervised.starts]).toEqual(['serving', 2]);
    expect(lines).toContain('told');
    expect(events.some(({ type }) => type === 'ended')).toBe(false);
  });

  it('is not started again while it is being stopped', async () => {
    const { supervised, events } = await start(idle);
    supervised.signal('SIGKILL');
    await eventually(() => events.some(({ type }) => type === 'ended'), 20_000);
    await supervised.stop();
    expect([supervised.state, supervised.starts]).toEqual(['stopped', 1]);
  });
});
