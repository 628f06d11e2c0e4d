import { LoadProcess } from '../load/load-process.ts';
import { NudgeServer } from '../nudge-server.ts';
import { startBaseline } from '../process.ts';
import type { Row } from '../report/result.ts';
import { bareCast, castGroups } from './casts.ts';
import type { Workload } from './workload.ts';

const PAIRS = 50;
const RATE = 100;
const BODY_BYTES = 256;

/** W5: pairs at an easy rate: what a person feels. */
export const w5Latency: Workload = async ({ quick, progress }) => {
  const plan = { rate: RATE, seconds: quick ? 2 : 20, bodyBytes: BODY_BYTES, seed: 5, settleMs: 10_000 };
  const rows: Row[] = [];
  await (async () => {
    await using server = await startBaseline('bare-ws');
    await using load = new LoadProcess();
    await load.run('open', { kind: 'bare', cast: bareCast(server.port, PAIRS, 2) });
    await load.run('talk', { ...plan, seconds: 2 });
    progress('bare pairs');
    const { latency, problems } = await load.run('talk', plan);
    rows.push({ workload: 'W5', what: 'bare ws pairs', figures: { 'p50 ms': latency.p50, 'p99 ms': latency.p99 }, problems });
  })();
  await using server = await NudgeServer.start();
  const cast = await castGroups(server, 'w5-', PAIRS, 2);
  await using load = new LoadProcess();
  await load.run('open', { kind: 'nudge', cast });
  await load.run('talk', { ...plan, seconds: 3 });
  progress('nudge pairs');
  const { latency, problems } = await load.run('talk', plan);
  rows.push({
    workload: 'W5',
    what: `nudge, ${PAIRS} pairs, ${RATE}/s`,
    figures: { 'p50 ms': latency.p50, 'p99 ms': latency.p99 },
    goal: 'p50 <= 3 ms',
    met: latency.p50 <= 3,
    problems,
  });
  return { rows };
};
