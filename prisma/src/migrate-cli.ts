import { parseArgs } from 'node:util';
import { readMigrateConfig } from './migrate/config.ts';
import { describeProgress } from './migrate/describe.ts';
import { migrate } from './migrate/migrate.ts';

// npm run db:migrate [-- --dry-run]
const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } });
try {
  const { connectionString } = readMigrateConfig();
  const dryRun = values['dry-run'];
  const { applied, before } = await migrate(connectionString, {
    dryRun,
    onProgress: (progress) => console.log(describeProgress(progress)),
  });
  console.log(`${before.length} were applied before, ${applied.length} ${dryRun ? 'would be applied' : 'are new'}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
