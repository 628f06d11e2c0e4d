import { startEmbeddedPostgres, startStandby } from '@nudge/standalone/postgres';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../support/free-ports.ts';
import { collectLog } from '../../support/logs.ts';
import { createTempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

let stack: AsyncDisposableStack;
const started = process.cwd();

/** People name directories from where they are. */
beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const dir = stack.use(await createTempDir('standby'));
  stack.defer(() => process.chdir(started));
  process.chdir(dir.path);
});
afterAll(() => stack.disposeAsync());

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ answer: unknown }>(sql);
    return rows[0]?.answer;
  } finally {
    await client.end();
  }
}

test('a standby below a relative data directory streams, is started again when it dies, and a second start copies anew', async () => {
  const { log, lines } = collectLog();
  await using primary = await startEmbeddedPostgres({ dataDir: 'data', log, durable: false });
  await ask(primary.connectionString, 'create table word (it text)');
  const start = async () => startStandby({ primary, clusterDir: 'data/standby', slot: 'nudge_standby', port: await freePorts(1), log });
  for (const word of ['first', 'second']) {
    await using standby = await start().catch((error: unknown) => {
      throw new Error(lines.slice(-20).join('\n'), { cause: error });
    });
    const copy = standby.through(primary.connectionString);
    expect(await ask(copy, 'select pg_is_in_recovery() as answer')).toBe(true);
    await ask(primary.connectionString, `insert into word values ('${word}')`);
    const arrived = async () => (await ask(copy, `select count(*)::int as answer from word where it = '${word}'`)) === 1;
    await waitFor(`${word} to arrive`, arrived);

    const { pid } = standby;
    process.kill(pid, 'SIGKILL');
    await waitFor('another server', () => standby.pid !== pid, { timeoutMs: 20_000 });
    await ask(primary.connectionString, `insert into word values ('${word} again')`);
    const arrivedAgain = async () => {
      const answer = ask(copy, `select count(*)::int as answer from word where it like '${word}%'`);
      return (await answer.catch(() => undefined)) === 2;
    };
    await waitFor(`${word} to arrive again`, arrivedAgain, { timeoutMs: 20_000 });
  }
  const left = 'select count(*)::int as answer from pg_replication_slots';
  expect(await ask(primary.adminConnectionString, left), 'no slot keeps WAL for nobody').toBe(0);
}, 120_000);
