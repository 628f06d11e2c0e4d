/** `npm run check`: every `check:*` script of package.json in turn, all of them even when one fails. Names given as arguments pick some: `npm run check -- lint types`. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { scripts: Record<string, string> };
const picked = process.argv.slice(2);
const checks = Object.keys(manifest.scripts)
  .filter((script) => script.startsWith('check:'))
  .map((script) => script.slice('check:'.length))
  .filter((check) => picked.length === 0 || picked.includes(check));
const unknown = picked.filter((name) => !checks.includes(name));
if (unknown.length > 0) throw new Error(`no such check: ${unknown.join(', ')}`);

const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', CHECKPOINT_DISABLE: '1', DO_NOT_TRACK: '1' };
const failed: string[] = [];
for (const check of checks) {
  console.log(`\n▶ ${check}`);
  const start = performance.now();
  const { status } = spawnSync('npm', ['run', '--silent', `check:${check}`], { stdio: 'inherit', env });
  if (status !== 0) failed.push(check);
  console.log(`${status === 0 ? '✔' : '✘'} ${check} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}
console.log(failed.length === 0 ? `\ncheck: all ${checks.length} passed` : `\ncheck: failed: ${failed.join(', ')}`);
if (failed.length > 0) process.exitCode = 1;
