import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from '@nudge/server-kit';
import { epochCommand, epochUsage, readEpochDecision } from './epoch.ts';

const usage = `npm run nudge -- <command>
${epochUsage}
  The database is --database-url or DATABASE_URL; without either the embedded one in DATA_DIR, whose server must not be running.`;

/** Runs a command against a database, the embedded one being started for it. */
async function main(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { 'database-url': { type: 'string' }, help: { type: 'boolean', default: false } },
  });
  const [command, ...rest] = positionals;
  if (values.help) {
    console.log(usage);
    return;
  }
  if (command !== 'epoch') throw new Error(`${command === undefined ? 'a command is missing' : `${command}: unknown`}\n${usage}`);
  const decision = readEpochDecision(rest);
  const url = values['database-url'] ?? env.DATABASE_URL ?? '';
  if (url !== '') {
    await epochCommand(decision, url, (line) => console.log(line));
    return;
  }
  // Only now: where a database is named, as in an image for production, the embedded one is not installed.
  const { startEmbeddedPostgres } = await import('@nudge/standalone/postgres');
  const { dataDir } = readConfig(env);
  if (!(await exists(join(dataDir, 'cluster', 'PG_VERSION')))) {
    throw new Error(`there is no embedded database in ${dataDir}: name a database with --database-url, or the directory with DATA_DIR`);
  }
  const quiet = (): void => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: console.error };
  await using postgres = await startEmbeddedPostgres({ dataDir, log });
  await epochCommand(decision, postgres.socketConnectionString ?? postgres.connectionString, (line) => console.log(line));
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The message for people. A database without the tables is the wrong one, or not migrated. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === '42P01')
    return `${error.message}: this database is not Nudge's, or not migrated (npm run db:migrate)`;
  if ('code' in error && error.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return `${error.message.split('.')[0]}\n${usage}`;
  return error.message;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(describe(error));
  process.exitCode = 1;
}
