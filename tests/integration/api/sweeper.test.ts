import { fileURLToPath } from 'node:url';
import { type Bus, MemoryBus, mintToken } from '@nudge/server-kit';
import { describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { startChild } from '../../support/process.ts';
import { waitFor } from '../../support/wait-for.ts';
import { createTestApp, startApiServer } from './support/api-server.ts';
import { listenToUser } from './support/listener.ts';

const quick = { sweeper: { intervalMs: 20, ageMs: 50, rowTimeoutMs: 5_000 } };
const never = { sweeper: { intervalMs: 3_600_000, ageMs: 3_600_000, rowTimeoutMs: 5_000 } };

/** A bus that refuses while told to. */
class BrokenBus implements Bus {
  broken = true;
  readonly inner = new MemoryBus();
  publish(...args: Parameters<Bus['publish']>): Promise<void> {
    return this.broken ? Promise.reject(new Error('the bus is down')) : this.inner.publish(...args);
  }
  subscribe(...args: Parameters<Bus['subscribe']>): Promise<() => void> {
    return this.inner.subscribe(...args);
  }
  onInterruption(listener: () => void): () => void {
    return this.inner.onInterruption(listener);
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.inner[Symbol.asyncDispose]();
  }
}

const outbox = (database: TestDatabase) =>
  database.query<{ id: string; kind: string; attempts: number }>('select id, kind, attempts from outbox');

describe('the sweeper', () => {
  it('publishes what the bus refused, once the bus takes it: messages, memberships, reads, hidden conversations', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
    const bus = new BrokenBus();
    await using server = await startApiServer(database, { bus, config: quick });
    const bob = await listenToUser(bus, 'demo', 'bob');
    const cho = await listenToUser(bus, 'demo', 'cho');
    const ann = server.as(app, 'ann');
    const created = await ann('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
    const { id } = created.body.conversation as { id: string };
    const direct = await ann('POST', '/v1/conversations', { type: 'direct', members: ['bob'] });
    const directId = (direct.body.conversation as { id: string }).id;
    expect((await ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'm', body: {} })).status).toBe(201);
    expect((await ann('PUT', `/v1/conversations/${id}/members/cho`)).status).toBe(200);
    expect((await server.as(app, 'bob')('PUT', `/v1/conversations/${id}/read`, { seq: 2 })).status).toBe(200);
    expect((await server.as(app, 'bob')('DELETE', `/v1/conversations/${directId}/members/me`)).status).toBe(200);
    await waitFor('rows to be put aside', async () => (await outbox(database)).some((row) => row.attempts > 0));
    expect(bob.messages).toEqual([]);
    bus.broken = false;
    await database.query('update outbox set next_at = created_at');
    await waitFor('the outbox to be empty', async () => (await outbox(database)).length === 0);
    expect(bob.highest(`c/${id}`)).toBe(3);
    expect(cho.highest(`c/${id}`)).toBe(3);
    const [versions] = await database.query<{ bob: string; cho: string }>(
      `select max(feed_version) filter (where id = 'bob') as bob, max(feed_version) filter (where id = 'cho') as cho from chat_user`,
    );
    expect(bob.highest('u/bob')).toBe(Number(versions?.bob));
    expect(cho.highest('u/cho')).toBe(Number(versions?.cho));
  });

  it('puts a row aside that it cannot work on, and goes on with younger ones', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    const broken = new BrokenBus();
    let id: string;
    {
      await using server = await startApiServer(database, { bus: broken, config: never });
      const created = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
      id = (created.body.conversation as { id: string }).id;
      await waitFor('the row', async () => (await outbox(database)).length === 1);
    }
    await database.query(
      `insert into outbox (conversation_id, id, created_at, kind, payload, next_at)
       select $1, gen_random_uuid(), now() - interval '1 hour', 'append', '{"heads": "nonsense"}', now() - interval '1 hour' from generate_series(1, 300)`,
      [id],
    );
    // Heard before the sweep can begin: it tells the key once.
    const bus = new MemoryBus();
    const bob = await listenToUser(bus, 'demo', 'bob');
    await using _server = await startApiServer(database, { bus, config: quick });
    await waitFor('the key', () => bob.highest(`c/${id}`) === 1);
    await waitFor('all others to be put aside', async () => {
      const left = await outbox(database);
      return left.length === 300 && left.every((row) => row.attempts > 0);
    });
  });

  it('runs on one instance at a time, and on the other once the first is gone', async () => {
    await using database = await createTestDatabase();
    await createTestApp(database, 'demo', ['ann']);
    await using second = await startApiServer(database, { config: never });
    const store = second.stores.databases[0];
    const held = await store?.sweeperLease();
    expect(held).not.toBeNull();
    expect(await store?.sweeperLease()).toBeNull();
    await held?.[Symbol.asyncDispose]();
    // The lease ends with its connection, which the server notices a moment later.
    const again = await waitFor('the lease', () => store?.sweeperLease());
    await again[Symbol.asyncDispose]();
  });

  it.each(['after-commit', 'before-publish'])('announces what an API that was killed %s had committed', async (failpoint) => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server = await startApiServer(database, { config: quick });
    const created = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
    const { id } = created.body.conversation as { id: string };
    const bob = await listenToUser(server.bus, 'demo', 'bob');
    await using child = await startChild({
      script: fileURLToPath(new URL('../../../apps/api/src/main.ts', import.meta.url)),
      env: {
        DATABASE_URL: database.connectionString,
        PORT: '0',
        NODE_ENV: 'test',
        FAILPOINT: failpoint,
        SWEEPER_INTERVAL_MS: '3600000',
      },
    });
    const [, url] = await child.waitForLine(/"url":"(http:[^"]+)"/);
    const token = mintToken({ key: app.signingKey, userId: 'ann', ttlSeconds: 60 }).token;
    const sent = fetch(`${url}/v1/conversations/${id}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ clientMsgId: 'last', body: { text: 'words' } }),
    });
    // Before it publishes, the API has answered: the sender must be able to rely on that answer.
    if (failpoint === 'before-publish') expect((await sent).status).toBe(201);
    else await expect(sent).rejects.toThrow();
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await waitFor('the key', () => bob.highest(`c/${id}`) === 2);
    await waitFor('the outbox to be empty', async () => (await outbox(database)).length === 0);
    const again = await server.as(app, 'ann')('POST', `/v1/conversations/${id}/messages`, {
      clientMsgId: 'last',
      body: { text: 'words' },
    });
    expect([again.status, again.body.seq]).toEqual([200, 2]);
  });
});
