import { createPool, settleEpoch } from '@nudge/db';
import { createLogger, readConfig } from '@nudge/server-kit';
import { startServer } from '@nudge/standalone';
import pg from 'pg';
import { expect, inject, it } from 'vitest';
import { httpClient } from '../../protocol/support/http.ts';
import { send } from '../../races/support/arena.ts';
import { createTestDatabase } from '../../support/database.ts';
import { createReplica } from '../../support/replica.ts';
import { seedApp, type TestApp } from '../../support/seed.ts';
import { createTcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';

const log = createLogger({ name: 'test', level: 'silent' });

/** What an asynchronous standby, or an older copy, has not got: everything above `seq`. */
async function goBack(connectionString: string, id: string, seq: number): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query('delete from entry where conversation_id = $1 and seq > $2', [id, seq]);
  await client.query('update conversation set last_seq = $2 where id = $1', [id, seq]);
  await client.end();
}

async function bump(connectionString: string): Promise<void> {
  const pool = createPool({ connectionString, applicationName: 'test' });
  await settleEpoch(pool, 'bump');
  await pool.end();
}

/** A server whose caches hold a log of nine entries, and what is read once it says epoch 2. */
async function holding(url: string, app: TestApp) {
  const http = httpClient(url);
  const ann = { id: 'ann', token: app.token('ann') };
  const created = await http.call('createConversation', { token: ann.token, body: { type: 'group', members: ['bob'] } });
  const { id } = created.ok(201).conversation;
  for (let n = 1; n <= 8; n += 1) (await send(http, ann, id, `m${n}`, `text ${n}`)).ok(201);
  const read = (min?: number) =>
    http.call('listEntries', {
      token: ann.token,
      params: { conversationId: id },
      query: { after: 0, ...(min === undefined ? {} : { min }) },
    });
  for (let n = 0; n < 2; n += 1) expect((await read()).ok().head).toBe(9);
  const inNewEpoch = () =>
    waitFor(
      'the new epoch',
      async () => {
        const answer = await read();
        return answer.status === 200 && answer.ok().epoch === 2 ? answer.ok() : undefined;
      },
      { timeoutMs: 30_000 },
    );
  const sendNew = async () => (await send(http, ann, id, 'new', 'new')).ok(201).seq;
  return { id, read, inNewEpoch, sendNew };
}

it('a standby took over and the epoch was bumped while a process could not look: it drops what it holds before it says the new epoch', async () => {
  await using database = await createTestDatabase();
  const app = await seedApp(database, 'one', { users: ['ann', 'bob'] });
  await using replica = await createReplica({ primary: inject('postgres') });
  const target = { port: Number(new URL(database.connectionString).port) };
  await using proxy = await createTcpProxy(target);
  await using server = await startServer({
    config: readConfig({ PORT: '0' }),
    connectionString: proxy.through(database.connectionString),
    log,
  });
  const held = await holding(server.url, app);
  await replica.caughtUp();
  // New connections lead nowhere: the process cannot look.
  target.port = 1;
  expect(proxy.reset()).toBeGreaterThan(0);
  await replica.promote();
  const promoted = replica.through(database.connectionString);
  await goBack(promoted, held.id, 5);
  await bump(promoted);
  target.port = replica.port;
  expect((await held.inNewEpoch()).head).toBe(5);
  expect(await held.sendNew()).toBe(6);
  expect((await held.read(6)).ok().entries.at(-1)).toMatchObject({ seq: 6, body: { text: 'new' } });
}, 90_000);

it('a copy of the data directory brings no other identity; bumping its epoch drops what is held all the same', async () => {
  await using database = await createTestDatabase();
  const app = await seedApp(database, 'one', { users: ['ann', 'bob'] });
  await using server = await startServer({ config: readConfig({ PORT: '0' }), connectionString: database.connectionString, log });
  const held = await holding(server.url, app);
  await goBack(database.connectionString, held.id, 5);
  await bump(database.connectionString);
  expect((await held.inNewEpoch()).head).toBe(5);
  expect(await held.sendNew()).toBe(6);
  expect((await held.read(6)).ok().entries.at(-1)).toMatchObject({ seq: 6, body: { text: 'new' } });
}, 60_000);
