import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '@nudge/db';
import { drift } from '@nudge/db/drift';
import { startEmbeddedPostgres } from '@nudge/standalone/postgres';

// Applies the migrations to a throw-away PostgreSQL and compares the result with schema.prisma.
const dataDir = await mkdtemp(join(tmpdir(), 'nudge-drift-'));
const ignore = (): void => undefined;
try {
  await using postgres = await startEmbeddedPostgres({
    dataDir,
    durable: false,
    log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
  const { applied } = await migrate(postgres.connectionString);
  const difference = await drift(postgres.connectionString);
  if (difference === null) console.log(`schema.prisma agrees with ${applied.length} migrations`);
  else console.error(`schema.prisma and prisma/migrations differ. From the migrations to the schema:\n${difference}`);
  process.exitCode = difference === null ? 0 : 1;
} finally {
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
}
