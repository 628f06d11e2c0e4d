import { LoadProcess } from '../load/load-process.ts';
import type { NudgeServer } from '../nudge-server.ts';
import type { Row } from '../report/result.ts';
import { castGroups } from '../workloads/casts.ts';
import type { Effort } from '../workloads/workload.ts';
import { inTurns, type Side } from './turns.ts';

const BODY_BYTES = 256;

interface Talk {
  readonly workload: string;
  readonly groups: number;
  readonly size: number;
  /** Messages a second; the first of them in a quick run. */
  readonly rates: readonly number[];
}

type Servers = Readonly<Record<Side, NudgeServer>>;

/** W2 on both: small groups, everybody online. */
export const compareSmallGroups = (servers: Servers, effort: Effort): Promise<Row[]> =>
  compareTalk({ workload: 'W2', groups: 100, size: 10, rates: [400, 1_000, 1_600] }, servers, effort);

/** W3 on both: one large group, everybody online. */
export const compareLargeGroup = (servers: Servers, effort: Effort): Promise<Row[]> =>
  compareTalk({ workload: 'W3', groups: 1, size: 1_000, rates: [20] }, servers, effort);

/** The same talk on both. Costs are per delivery; the rate is that of deliveries. */
async function compareTalk({ workload, groups, size, rates }: Talk, servers: Servers, { quick, progress }: Effort): Promise<Row[]> {
  const pids = { here: servers.here.pid, there: servers.there.pid };
  progress(`preparing ${groups} groups of ${size} on both`);
  await using here = new LoadProcess();
  await using there = new LoadProcess();
  const loads = { here, there };
  await here.run('open', { kind: 'nudge', cast: await castGroups(servers.here, 'u-', groups, size) });
  await there.run('open', { kind: 'nudge', cast: await castGroups(servers.there, 'u-', groups, size) });
  const rows: Row[] = [];
  for (const rate of quick ? rates.slice(0, 1) : rates) {
    const rounds = quick ? 1 : 8;
    const seconds = quick ? 1 : 5;
    progress(`${rate} messages/s: ${rounds} rounds of ${seconds} s to each`);
    const latencies: Record<Side, number[]> = { here: [], there: [] };
    const row = await inTurns(`${rate} messages/s`, rounds, pids, async (side, round) => {
      const plan = { rate, seconds, bodyBytes: BODY_BYTES, seed: rate * 100 + round, settleMs: 20_000 };
      const result = await loads[side].run('talk', plan);
      // The first turn only warms up.
      if (round > 0) latencies[side].push(result.latency.p99);
      return { done: result.delivered, seconds: result.seconds, problems: result.problems };
    });
    const figures = { ...row.figures, 'here p99 ms': median(latencies.here), 'there p99 ms': median(latencies.there) };
    rows.push({ ...row, workload, figures });
  }
  return rows;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
