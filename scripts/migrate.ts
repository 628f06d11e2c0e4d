import { parseArgs } from 'node:util';
import { migrateJobs } from '@nudge/api';
import { describeProgress, migrate } from '@nudge/db';

// npm run db:migrate [-- --dry-run]: brings DATABASE_URL to the newest migration, and the tables of the background jobs to their version.
const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } });
const dryRun = values['dry-run'];

function readConnectionString(env: NodeJS.ProcessEnv = process.env): string {
  const connectionString = env.DATABASE_URL ?? '';
  if (connectionString !== '') return connectionString;
  throw new Error('DATABASE_URL is not set: name the database to migrate (postgres://user:password@host:5432/name)');
}

try {
  const connectionString = readConnectionString();
  const { applied, before } = await migrate(connectionString, {
    dryRun,
    onProgress: (progress) => console.log(describeProgress(progress)),
  });
  console.log(`${before.length} were applied before, ${applied.length} ${dryRun ? 'would be applied' : 'are new'}`);
  if (!dryRun) {
    const { created } = await migrateJobs(connectionString);
    console.log(`background jobs: their tables ${created ? 'are new' : 'were there and have their version'}`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
