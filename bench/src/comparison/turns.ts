import { setTimeout as delay } from 'node:timers/promises';
import { type CpuSeconds, cpuSeconds, spent } from '../cpu.ts';
import { perThousand, type Row, round } from '../report/result.ts';

/** Two servers of one run, both up all the time: this checkout and the one that it is held against. */
export const SIDES = ['here', 'there'] as const;
export type Side = (typeof SIDES)[number];

/** What a turn came to: so many things done in so many seconds. */
export interface Turn {
  readonly done: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

/** After a turn the server still confirms and publishes what it was given; that belongs to the turn, ms. */
const SETTLE_MS = 400;

/**
 * Gives both sides the same work in turns, in the order here-there, there-here, and so on: what the machine does meanwhile (a slower
 * clock, a neighbour) meets both alike. One turn each to warm up does not count.
 *
 * A figure is the quotient of the sums of all turns; beside it stands the middle half of the quotients of single rounds, which says how
 * far to trust it.
 */
export async function inTurns(
  what: string,
  rounds: number,
  pids: Readonly<Record<Side, number>>,
  turn: (side: Side, round: number) => Promise<Turn>,
): Promise<Row> {
  const costs: Record<Side, (CpuSeconds & Turn)[]> = { here: [], there: [] };
  const problems: string[] = [];
  for (const side of SIDES) await turn(side, 0);
  for (let number = 1; number <= rounds; number += 1) {
    for (const side of number % 2 === 1 ? SIDES : SIDES.toReversed()) {
      const before = cpuSeconds(pids[side]);
      const result = await turn(side, number);
      await delay(SETTLE_MS);
      costs[side].push({ ...result, ...spent(before, cpuSeconds(pids[side])) });
      problems.push(...result.problems.map((problem) => `${side}: ${problem}`));
    }
  }
  const measures: Readonly<Record<string, (turns: readonly (CpuSeconds & Turn)[]) => number>> = {
    server: (turns) => sum(turns, ({ server }) => server) / sum(turns, ({ done }) => done),
    db: (turns) => sum(turns, ({ database }) => database) / sum(turns, ({ done }) => done),
    both: (turns) => sum(turns, ({ server, database }) => server + database) / sum(turns, ({ done }) => done),
    rate: (turns) => sum(turns, ({ done }) => done) / sum(turns, ({ seconds }) => seconds),
  };
  const figures: Record<string, string | number> = { rounds };
  for (const [name, measure] of Object.entries(measures)) {
    const single = costs.here.map((turn, index) => measure([turn]) / measure(costs.there.slice(index, index + 1))).sort((a, b) => a - b);
    const quarter = (part: number) => round(single[Math.floor((single.length - 1) * part)] ?? Number.NaN, 2);
    figures[name] = `${round(measure(costs.here) / measure(costs.there), 3)}x (${quarter(0.25)} to ${quarter(0.75)})`;
  }
  for (const side of SIDES) {
    const done = sum(costs[side], (turn) => turn.done);
    const total = { server: sum(costs[side], ({ server }) => server), database: sum(costs[side], ({ database }) => database) };
    figures[`${side} CPU s/1000`] = perThousand(total, done).both;
    figures[`${side} /s`] = round(done / sum(costs[side], ({ seconds }) => seconds), 0);
  }
  return { workload: '', what, figures, problems: problems.slice(0, 20) };
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
