import { LoadProcess } from '../load/load-process.ts';
import { NudgeServer } from '../nudge-server.ts';
import { startBaseline } from '../process.ts';
import type { Point } from '../report/plot.ts';
import { perThousand, type Row, round } from '../report/result.ts';
import { bareCast, castGroups } from './casts.ts';
import { measuredTalk } from './talk.ts';
import type { Workload } from './workload.ts';

const GROUPS = 100;
const SIZE = 10;
const BODY_BYTES = 256;
/** A rate counts while the slowest hundredth of deliveries stays within this, ms. */
const P99_MS = 1_000;

const goals: Readonly<Record<number, number>> = { 400: 4.5, 1600: 3 };

/** W2: small groups, everybody online, stepping up. */
export const w2SmallGroups: Workload = async ({ quick, progress }) => {
  const seconds = quick ? 2 : 15;
  const steps = quick ? [400] : [400, 1_000, 1_600, 2_300, 2_800, 3_500];
  const plan = (rate: number) => ({ rate, seconds, bodyBytes: BODY_BYTES, seed: rate, settleMs: 20_000 });
  const rows: Row[] = [];
  const bareCost = new Map<number, number>();
  const curves: { bare: Point[]; nudge: Point[] } = { bare: [], nudge: [] };

  await (async () => {
    await using server = await startBaseline('bare-ws');
    await using load = new LoadProcess();
    await load.run('open', { kind: 'bare', cast: bareCast(server.port, GROUPS, SIZE) });
    await load.run('talk', { ...plan(200), seconds: 2 });
    for (const rate of steps) {
      progress(`bare fan-out at ${rate} messages/s`);
      const { result, cpu } = await measuredTalk(load, server.pid, plan(rate));
      const { both } = perThousand(cpu, result.delivered);
      bareCost.set(rate, both);
      curves.bare.push({ x: rate, y: both });
      rows.push({
        workload: 'W2',
        what: `bare ws fan-out at ${rate}/s`,
        figures: { 'CPU s/1000': both, 'p50 ms': result.latency.p50, 'p99 ms': result.latency.p99 },
        problems: result.problems,
      });
    }
  })();

  await using server = await NudgeServer.start();
  progress(`preparing ${GROUPS} groups of ${SIZE}`);
  const cast = await castGroups(server, 'w2-', GROUPS, SIZE);
  await using load = new LoadProcess();
  await load.run('open', { kind: 'nudge', cast });
  await load.run('talk', { ...plan(200), seconds: 3 });
  let best = 0;
  for (const rate of steps) {
    progress(`nudge at ${rate} messages/s`);
    const { result, cpu } = await measuredTalk(load, server.pid, plan(rate));
    const cost = perThousand(cpu, result.delivered);
    const ratio = round(cost.both / (bareCost.get(rate) ?? Number.NaN), 2);
    const goal = goals[rate];
    curves.nudge.push({ x: rate, y: cost.both });
    if (result.problems.length === 0 && result.latency.p99 <= P99_MS) best = rate;
    rows.push({
      workload: 'W2',
      what: `nudge at ${rate}/s`,
      figures: {
        'CPU s/1000': cost.both,
        server: cost.server,
        db: cost.database,
        'x bare': ratio,
        'p50 ms': result.latency.p50,
        'p99 ms': result.latency.p99,
      },
      ...(goal === undefined ? {} : { goal: `<= ${goal}x bare`, met: ratio <= goal }),
      problems: result.problems,
    });
    if (result.latency.p99 > P99_MS || result.problems.length > 0) break;
  }
  rows.push({
    workload: 'W2',
    what: `highest rate with p99 <= ${P99_MS} ms`,
    figures: { 'messages/s': best },
    goal: '>= 2300',
    met: best >= 2_300,
    problems: [],
  });
  const plots = [
    {
      file: 'w2-cost.svg',
      title: 'W2: CPU seconds per 1,000 deliveries',
      x: 'messages per second',
      y: 'CPU s',
      series: [
        { name: 'nudge', points: curves.nudge },
        { name: 'bare ws', points: curves.bare },
      ],
    },
  ];
  return { rows, plots };
};
