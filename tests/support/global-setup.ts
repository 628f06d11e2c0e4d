import { migrateJobs } from '@nudge/api/migrate-jobs';
import { migrate } from '@nudge/db';
import { startEmbeddedPostgres } from '@nudge/standalone/postgres';
import { redisServerBinary } from '@nudge/standalone/redis';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { collectLog } from './logs.ts';
import { createTempDir } from './temp-dir.ts';

/** The PostgreSQL that all test files share, each in a database of its own. */
export interface SharedPostgres {
  /** Superuser, on the database `postgres`. */
  readonly adminConnectionString: string;
  /** Role `nudge`, on the template; nobody connects to it while databases are cloned from it. */
  readonly connectionString: string;
  /** The migrated database that every test database is a clone of. */
  readonly template: string;
  readonly clusterDir: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: SharedPostgres;
  }
}

/**
 * Sees to it that there is a Redis to start, installed before any file waits for it or else missed at once, by the command to run; starts
 * one throw-away PostgreSQL for the whole run and migrates the template once. It is not durable (no fsync); tests that need durability
 * or crash it start their own.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await redisServerBinary({ onInstall: (notice) => process.stdout.write(`${notice}\n`) });
  const dir = await createTempDir('postgres');
  const { log, lines } = collectLog();
  try {
    const postgres = await startEmbeddedPostgres({
      dataDir: dir.path,
      log,
      durable: false,
      settings: { max_connections: '400', shared_buffers: '256MB', max_wal_size: '2GB' },
    });
    const template = 'nudge_template';
    const connectionString = onDatabase(postgres.connectionString, template);
    try {
      await createDatabase(postgres.adminConnectionString, template);
      await migrate(connectionString);
      await migrateJobs(connectionString);
    } catch (error) {
      await postgres.stop();
      throw error;
    }
    const { adminConnectionString, clusterDir } = postgres;
    project.provide('postgres', { adminConnectionString, connectionString, template, clusterDir });
    return async () => {
      await postgres.stop();
      await dir[Symbol.asyncDispose]();
    };
  } catch (error) {
    await dir[Symbol.asyncDispose]();
    throw new Error(`the test database did not start:\n${lines.slice(-20).join('\n')}`, { cause: error });
  }
}

async function createDatabase(adminConnectionString: string, name: string): Promise<void> {
  const admin = new pg.Client(adminConnectionString);
  await admin.connect();
  try {
    await admin.query(`create database ${name} owner nudge`);
  } finally {
    await admin.end();
  }
}

function onDatabase(connectionString: string, database: string): string {
  const url = new URL(connectionString);
  url.pathname = `/${database}`;
  return url.href;
}
