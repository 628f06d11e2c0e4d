import { migrateJobs, PgBossJobs } from '@nudge/api';
import { createLogger, systemClock } from '@nudge/server-kit';
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { createTestApp, startApiServer } from './support/api-server.ts';
import { idleJobs } from './support/jobs.ts';

const ready = async (url: string): Promise<number> => (await fetch(`${url}/readyz`)).status;

describe('the tables of the background jobs', () => {
  it('are what an API waits for, saying how to make them, and are made by the migration', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await database.query('drop schema jobs cascade');
    const lines: string[] = [];
    const log = createLogger({ name: 'test', level: 'info', destination: { write: (line) => void lines.push(line) } });
    await using server = await startApiServer(database, { config: { jobs: idleJobs }, log });
    expect(await ready(server.url)).toBe(503);
    expect(lines.filter((line) => line.includes('npm run db:migrate'))).toHaveLength(1);
    expect(await database.query(`select from pg_namespace where nspname = 'jobs'`)).toEqual([]);
    // Everything else works; what is to be sent later waits for the sweep.
    const ann = server.as(app, 'ann');
    const { body } = await ann('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
    const { id } = body.conversation as { id: string };
    const sendAt = new Date(Date.now() + 60_000).toISOString();
    const later = await ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'later', body: {}, sendAt });
    expect(later.status).toBe(202);
    expect(await migrateJobs(database.connectionString)).toEqual({ created: true });
    await waitFor('readiness', async () => (await ready(server.url)) === 200, { timeoutMs: 20_000 });
  });

  it('are made once by several migrations at the same time, and left alone by the next', async () => {
    await using database = await createTestDatabase();
    await database.query('drop schema jobs cascade');
    await Promise.all([migrateJobs(database.connectionString), migrateJobs(database.connectionString)]);
    expect(await migrateJobs(database.connectionString)).toEqual({ created: false });
    expect(await database.query('select name from jobs.queue order by name')).toEqual([{ name: 'periodic' }, { name: 'scheduled' }]);
  });

  it('of another version are not used', async () => {
    await using database = await createTestDatabase();
    await database.query('update jobs.version set version = version - 1');
    const lines: string[] = [];
    const log = createLogger({ name: 'test', level: 'info', destination: { write: (line) => void lines.push(line) } });
    await using jobs = new PgBossJobs({ connectionString: database.connectionString, clock: systemClock, log, pollMs: 1_000 });
    await jobs.start();
    expect(jobs.isReady).toBe(false);
    expect(lines.some((line) => line.includes('npm run db:migrate'))).toBe(true);
  });
});

describe('disposing', () => {
  it('waits for the job that runs, and takes no further one', async () => {
    await using database = await createTestDatabase();
    const begun = Promise.withResolvers<AbortSignal>();
    const finish = Promise.withResolvers<void>();
    const log = createLogger({ name: 'test', level: 'silent' });
    const jobs = new PgBossJobs({ connectionString: database.connectionString, clock: systemClock, log, pollMs: 10 });
    let runs = 0;
    jobs.every(1, 'expiry', async (signal) => {
      runs += 1;
      begun.resolve(signal);
      await finish.promise;
    });
    await jobs.start();
    const signal = await begun.promise;
    let disposed = false;
    const disposing = jobs[Symbol.asyncDispose]().then(() => {
      disposed = true;
    });
    expect(signal.aborted).toBe(true);
    await database.query('select 1');
    expect(disposed).toBe(false);
    finish.resolve();
    await disposing;
    expect(runs).toBe(1);
    expect(await database.query(`select state::text from jobs.job where data ->> 'name' = 'expiry'`)).toEqual([{ state: 'completed' }]);
  });
});
