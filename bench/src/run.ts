/** `npm run bench [-- w2 w5] [-- --quick]`: measures, prints the table, writes JSON and plots to bench/results. */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { renderPlot } from './report/plot.ts';
import type { Row } from './report/result.ts';
import { renderTable } from './report/table.ts';
import { w1Idle } from './workloads/w1-idle.ts';
import { w2SmallGroups } from './workloads/w2-small-groups.ts';
import { w3LargeGroup } from './workloads/w3-large-group.ts';
import { w4CatchUp } from './workloads/w4-catch-up.ts';
import { w5Latency } from './workloads/w5-latency.ts';
import { w6Pages } from './workloads/w6-pages.ts';
import { w7Append } from './workloads/w7-append.ts';
import { w8BigGroup } from './workloads/w8-big-group.ts';
import type { Workload } from './workloads/workload.ts';

const workloads: Readonly<Record<string, Workload>> = {
  w1: w1Idle,
  w2: w2SmallGroups,
  w3: w3LargeGroup,
  w4: w4CatchUp,
  w5: w5Latency,
  w6: w6Pages,
  w7: w7Append,
  w8: w8BigGroup,
};

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const chosen = words.filter((word) => !word.startsWith('-'));
const unknown = chosen.filter((name) => !(name in workloads));
if (unknown.length > 0) throw new Error(`no such workload: ${unknown.join(', ')}; there are ${Object.keys(workloads).join(', ')}`);

const results = new URL('../results/', import.meta.url);
await mkdir(results, { recursive: true });
const rows: Row[] = [];
for (const [name, workload] of Object.entries(workloads)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const started = performance.now();
  const progress = (line: string) => {
    process.stderr.write(`${name}  ${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
  };
  const outcome = await workload({ quick, progress });
  rows.push(...outcome.rows);
  process.stdout.write(`${renderTable(outcome.rows)}\n`);
  for (const { file, title, x, y, series } of quick ? [] : (outcome.plots ?? []))
    await writeFile(new URL(file, results), renderPlot(title, { x, y }, series));
}

if (!quick) {
  const report = { machine: { cpus: cpus().length, model: cpus()[0]?.model, node: process.version }, rows };
  await writeFile(new URL('latest.json', results), `${JSON.stringify(report, null, 2)}\n`);
}
process.stdout.write(`\n${renderTable(rows)}\n`);
if (rows.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
