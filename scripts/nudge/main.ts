import { parseArgs } from 'node:util';
import { readConfig } from '@nudge/server-kit';
import { epochCommand, epochUsage } from './epoch.ts';

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
  if (values.help || command !== 'epoch') {
    console.log(usage);
    if (!values.help) process.exitCode = 1;
    return;
  }
  const url = values['database-url'] ?? env.DATABASE_URL ?? '';
  if (url !== '') {
    await epochCommand(rest, url, (line) => console.log(line));
    return;
  }
  // Only now: where a database is named, as in an image for production, the embedded one is not installed.
  const { startEmbeddedPostgres } = await import('@nudge/standalone/postgres');
  const quiet = (): void => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: console.error };
  await using postgres = await startEmbeddedPostgres({ dataDir: readConfig(env).dataDir, log });
  await epochCommand(rest, postgres.socketConnectionString ?? postgres.connectionString, (line) => console.log(line));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
