/** `npm run bench:compare -- <checkout> [w2 w3 w7] [--quick]`: this checkout and another one, with the same work in turns in one run. */
import { resolve } from 'node:path';
import { compareSends } from './comparison/sends.ts';
import { compareLargeGroup, compareSmallGroups } from './comparison/talk.ts';
import { NudgeServer } from './nudge-server.ts';
import { renderTable } from './report/table.ts';

const workloads = { w2: compareSmallGroups, w3: compareLargeGroup, w7: compareSends };

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const [checkout, ...chosen] = words.filter((word) => !word.startsWith('-'));
if (checkout === undefined) throw new Error('name another checkout of this repository with its dependencies installed (npm ci)');
const unknown = chosen.filter((name) => !(name in workloads));
if (unknown.length > 0) throw new Error(`no such workload: ${unknown.join(', ')}; there are ${Object.keys(workloads).join(', ')}`);

await using here = await NudgeServer.start();
await using there = await NudgeServer.start(resolve(checkout));
const started = performance.now();
const progress = (line: string) => {
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(7)} s  ${line}\n`);
};
for (const [name, compare] of Object.entries(workloads)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const rows = await compare({ here, there }, { quick, progress });
  process.stdout.write(`${renderTable(rows)}\n`);
  if (rows.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
}
