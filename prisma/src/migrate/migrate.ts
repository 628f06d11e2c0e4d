import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { classify, DbError } from '../errors.ts';
import { type Applied, type Migration, pending, readMigrations } from './history.ts';

export type MigrationProgress =
  | { readonly step: 'waiting' }
  | {
      readonly step: 'applying' | 'applied' | 'would apply';
      readonly name: string;
      readonly index: number;
      readonly total: number;
      readonly ms?: number;
    };

export interface MigrateOptions {
  /** Say what would be applied and change nothing. */
  readonly dryRun?: boolean;
  readonly onProgress?: (progress: MigrationProgress) => void;
  /** Milliseconds to wait for another migrator. Default 60,000. */
  readonly migratorTimeoutMs?: number;
  /** Milliseconds a migration may wait for a table lock, so that it does not queue up all traffic behind it. Default 5,000. */
  readonly lockTimeoutMs?: number;
  /** Default: the migrations of this package. */
  readonly directory?: string;
}

export interface MigrateResult {
  /** Names applied by this call (with `dryRun`: that would be). */
  readonly applied: readonly string[];
  /** Names that were there before. */
  readonly before: readonly string[];
}

/** The advisory lock that Prisma's own migrator takes, so that the two exclude each other. */
const PRISMA_MIGRATE_LOCK = 72_707_369;

const HISTORY_TABLE = `create table if not exists _prisma_migrations (
  id varchar(36) primary key not null, checksum varchar(64) not null, finished_at timestamptz, migration_name varchar(255) not null,
  logs text, rolled_back_at timestamptz, started_at timestamptz not null default now(), applied_steps_count integer not null default 0)`;

/**
 * Brings a database to the newest migration. Each file runs as one simple query inside a transaction that also records it as Prisma
 * would, under an advisory lock: a failure leaves the database at the migration before.
 *
 * @throws {MigrationHistoryError} the recorded history and the files disagree; nothing was changed.
 * @throws {LockTimeout} another migrator, or traffic on a table, did not let go in time. @throws {DatabaseUnavailable}
 */
export async function migrate(connectionString: string, options: MigrateOptions = {}): Promise<MigrateResult> {
  const migrations = await readMigrations(options.directory);
  const client = new pg.Client({ connectionString, application_name: 'nudge-migrate', connectionTimeoutMillis: 10_000 });
  // A lost connection also fails the query under way, which is where it is reported.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await (options.dryRun === true ? plan(client, migrations, options) : apply(client, migrations, options));
  } catch (error) {
    throw classify(error);
  } finally {
    await client.end();
  }
}

async function plan(client: pg.Client, migrations: readonly Migration[], { onProgress }: MigrateOptions): Promise<MigrateResult> {
  const found = await client.query<{ exists: boolean }>("select to_regclass('_prisma_migrations') is not null as exists");
  const applied = found.rows[0]?.exists === true ? await history(client) : [];
  const open = pending(migrations, applied);
  for (const [index, { name }] of open.entries()) onProgress?.({ step: 'would apply', name, index, total: open.length });
  return { applied: open.map(({ name }) => name), before: applied.map(({ name }) => name) };
}

async function apply(client: pg.Client, migrations: readonly Migration[], options: MigrateOptions): Promise<MigrateResult> {
  const { onProgress } = options;
  await exclusively(client, options);
  await client.query(`set lock_timeout = ${Math.trunc(options.lockTimeoutMs ?? 5_000)}`);
  await client.query('set client_min_messages = warning');
  await client.query(HISTORY_TABLE);
  const before = await history(client);
  const open = pending(migrations, before);
  for (const [index, migration] of open.entries()) {
    const { name } = migration;
    const started = performance.now();
    onProgress?.({ step: 'applying', name, index, total: open.length });
    await applyOne(client, migration);
    onProgress?.({ step: 'applied', name, index, total: open.length, ms: Math.round(performance.now() - started) });
  }
  return { applied: open.map(({ name }) => name), before: before.map(({ name }) => name) };
}

/** The lock belongs to the session and ends with it. */
async function exclusively(client: pg.Client, { onProgress, migratorTimeoutMs }: MigrateOptions): Promise<void> {
  const { rows } = await client.query<{ held: boolean }>(`select pg_try_advisory_lock(${PRISMA_MIGRATE_LOCK}) as held`);
  if (rows[0]?.held === true) return;
  onProgress?.({ step: 'waiting' });
  await client.query(`set lock_timeout = ${Math.trunc(migratorTimeoutMs ?? 60_000)}`);
  await client.query(`select pg_advisory_lock(${PRISMA_MIGRATE_LOCK})`);
}

async function applyOne(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query(
      `insert into _prisma_migrations (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
       values ($1, $2, clock_timestamp(), $3, now(), 1)`,
      [randomUUID(), checksum, name],
    );
    await client.query('commit');
  } catch (error) {
    throw new MigrationFailed(name, classify(error));
  }
}

/** One migration failed; its transaction ends with the connection, so the database stays at the migration before. */
export class MigrationFailed extends DbError {
  override readonly name = 'MigrationFailed';
  readonly migration: string;
  constructor(migration: string, cause: unknown) {
    super(`migration ${migration} failed and was rolled back${cause instanceof Error ? `: ${cause.message}` : ''}`, { cause });
    this.migration = migration;
  }
}

async function history(client: pg.Client): Promise<Applied[]> {
  const { rows } = await client.query<Applied>(
    `select migration_name as name, checksum, finished_at is not null as finished
     from _prisma_migrations where rolled_back_at is null order by migration_name`,
  );
  return rows;
}
