import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DbError } from '../errors.ts';

/** One folder of `prisma/migrations`. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hex: what Prisma records. */
  readonly checksum: string;
}

export const MIGRATIONS_DIR = join(import.meta.dirname, '../../migrations');

/** All migrations in the order of their names. */
export async function readMigrations(directory: string = MIGRATIONS_DIR): Promise<Migration[]> {
  const folders = (await readdir(directory, { withFileTypes: true })).filter((item) => item.isDirectory());
  const names = folders.map((item) => item.name).sort();
  return Promise.all(
    names.map(async (name) => {
      const file = await readFile(join(directory, name, 'migration.sql'));
      return { name, sql: file.toString('utf8'), checksum: createHash('sha256').update(file).digest('hex') };
    }),
  );
}

/** What `_prisma_migrations` says. */
export interface Applied {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** Why a history cannot be continued; the message states the remedy. */
export class MigrationHistoryError extends DbError {
  override readonly name = 'MigrationHistoryError';
}

/**
 * The migrations still to be applied.
 *
 * @throws {MigrationHistoryError} when an applied migration was changed, is missing here, failed half way (under another tool), or
 *   a new one sorts before it.
 */
export function pending(migrations: readonly Migration[], applied: readonly Applied[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const { name, checksum, finished } of applied) {
    const migration = known.get(name);
    if (migration === undefined) {
      throw new MigrationHistoryError(
        `the database has migration ${name}, which is not here: deploy the release that has it, or a newer one`,
      );
    }
    if (!finished) {
      throw new MigrationHistoryError(
        `migration ${name} was begun by another tool and not finished: resolve it there, then run this again`,
      );
    }
    if (migration.checksum !== checksum) {
      throw new MigrationHistoryError(
        `migration ${name} was changed after it had been applied: restore its file and write a new migration instead`,
      );
    }
  }
  const done = new Set(applied.map(({ name }) => name));
  const last = [...done].sort().at(-1) ?? '';
  const open = migrations.filter(({ name }) => !done.has(name));
  const late = open.find(({ name }) => name < last);
  if (late !== undefined) {
    throw new MigrationHistoryError(
      `migration ${late.name} sorts before ${last}, which is applied already: rename it so that it comes last`,
    );
  }
  return open;
}
