import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds, residentBytes, spent } from '../cpu.ts';
import { LoadProcess } from '../load/load-process.ts';
import { NudgeServer } from '../nudge-server.ts';
import { startBaseline } from '../process.ts';
import { perThousand, type Row, round } from '../report/result.ts';
import type { Workload } from './workload.ts';

interface Measured {
  readonly kilobytes: number;
  readonly connectCpu: number;
  readonly problems: readonly string[];
}

/** Sockets a process holds before measuring, so that lazily grown heaps and code do not count as sockets. */
const WARM_UP = 500;

async function measure(port: number, pid: number, tokens: readonly string[], sockets: number): Promise<Measured> {
  await using load = new LoadProcess();
  const warm = await load.run('idle', { port, sockets: WARM_UP, tokens, atOnce: 50 });
  await delay(1_000);
  const before = { cpu: cpuSeconds(pid), bytes: residentBytes(pid) };
  const result = await load.run('idle', { port, sockets, tokens, atOnce: 50 });
  const cpu = spent(before.cpu, cpuSeconds(pid));
  await delay(3_000);
  const kilobytes = round((residentBytes(pid) - before.bytes) / 1024 / sockets, 1);
  const missing = result.connected === sockets + WARM_UP ? [] : [`${result.connected} of ${sockets + WARM_UP} connected`];
  return { kilobytes, connectCpu: perThousand(cpu, sockets).both, problems: [...warm.problems, ...result.problems, ...missing] };
}

/** W1: idle authenticated sockets beside a bare socket.io server's. */
export const w1Idle: Workload = async ({ quick, progress }) => {
  const sockets = quick ? 500 : 10_000;
  progress(`${sockets} idle sockets, bare socket.io`);
  const bare = await (async () => {
    await using server = await startBaseline('bare-socketio');
    return await measure(server.port, server.pid, [''], sockets);
  })();
  progress(`${sockets} idle sockets, nudge`);
  await using server = await NudgeServer.start();
  const users = await server.users('idle', 1_000);
  const nudge = await measure(
    server.port,
    server.pid,
    users.map(({ token }) => token),
    sockets,
  );
  const memoryRatio = round(nudge.kilobytes / bare.kilobytes, 2);
  const cpuRatio = round(nudge.connectCpu / bare.connectCpu, 2);
  const rows: Row[] = [
    {
      workload: 'W1',
      what: 'bare socket.io',
      figures: { 'KB/socket': bare.kilobytes, 'CPU s/1000 connects': bare.connectCpu },
      problems: bare.problems,
    },
    {
      workload: 'W1',
      what: `nudge, ${sockets} sockets`,
      figures: {
        'KB/socket': nudge.kilobytes,
        'CPU s/1000 connects': nudge.connectCpu,
        'memory x bare': memoryRatio,
        'CPU x bare': cpuRatio,
      },
      goal: '<= 1.1x bare in both',
      met: memoryRatio <= 1.1 && cpuRatio <= 1.1,
      problems: nudge.problems,
    },
  ];
  return { rows };
};
