import { LoadProcess } from '../load/load-process.ts';
import { NudgeServer } from '../nudge-server.ts';
import { startBaseline } from '../process.ts';
import { perThousand, type Row, round } from '../report/result.ts';
import { bareCast, castGroups } from './casts.ts';
import { measuredTalk } from './talk.ts';
import type { Workload } from './workload.ts';

const SIZE = 1_000;
const BODY_BYTES = 256;
const P99_MS = 1_000;

/** W3: one large group, everybody online. */
export const w3LargeGroup: Workload = async ({ quick, progress }) => {
  const seconds = quick ? 2 : 15;
  const steps = quick ? [20] : [20, 70, 140];
  const plan = (rate: number) => ({ rate, seconds, bodyBytes: BODY_BYTES, seed: rate, settleMs: 20_000 });
  const rows: Row[] = [];
  const bare = await (async () => {
    await using server = await startBaseline('bare-ws');
    await using load = new LoadProcess();
    await load.run('open', { kind: 'bare', cast: bareCast(server.port, 1, SIZE) });
    await load.run('talk', { ...plan(5), seconds: 2 });
    progress('bare fan-out at 20 messages/s to 999 others');
    const { result, cpu } = await measuredTalk(load, server.pid, plan(20));
    const { both } = perThousand(cpu, result.delivered);
    rows.push({
      workload: 'W3',
      what: 'bare ws fan-out at 20/s',
      figures: { 'CPU s/1000': both, 'p50 ms': result.latency.p50, 'p99 ms': result.latency.p99 },
      problems: result.problems,
    });
    return both;
  })();

  await using server = await NudgeServer.start();
  progress(`preparing one group of ${SIZE}`);
  const cast = await castGroups(server, 'w3-', 1, SIZE);
  await using load = new LoadProcess();
  await load.run('open', { kind: 'nudge', cast });
  await load.run('talk', { ...plan(5), seconds: 3 });
  let best = 0;
  for (const rate of steps) {
    progress(`nudge at ${rate} messages/s to 999 others`);
    const { result, cpu } = await measuredTalk(load, server.pid, plan(rate));
    const cost = perThousand(cpu, result.delivered);
    const ratio = round(cost.both / bare, 2);
    if (result.problems.length === 0 && result.latency.p99 <= P99_MS) best = rate;
    rows.push({
      workload: 'W3',
      what: `nudge at ${rate}/s`,
      figures: {
        'CPU s/1000': cost.both,
        server: cost.server,
        db: cost.database,
        'x bare at 20/s': ratio,
        'p50 ms': result.latency.p50,
        'p99 ms': result.latency.p99,
      },
      ...(rate === 20 ? { goal: '<= 1x bare', met: ratio <= 1 } : {}),
      problems: result.problems,
    });
    if (result.latency.p99 > P99_MS || result.problems.length > 0) break;
  }
  rows.push({
    workload: 'W3',
    what: `highest rate with p99 <= ${P99_MS} ms`,
    figures: { 'messages/s': best },
    goal: '>= 140',
    met: best >= 140,
    problems: [],
  });
  return { rows };
};
