import { type ApiStores, directConversationId } from '@nudge/api';
import { MemoryBus } from '@nudge/server-kit';
import { describe, expect, it } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type ApiServer, type Caller, createTestApp, startApiServer } from './support/api-server.ts';
import { idleJobs } from './support/jobs.ts';
import { listenToUser } from './support/listener.ts';
import { setLockTimeout } from './support/locks.ts';

const config = { jobs: idleJobs };

async function direct(caller: Caller, member: string): Promise<string> {
  const { body } = await caller('POST', '/v1/conversations', { type: 'direct', members: [member] });
  return (body.conversation as { id: string }).id;
}

let sends = 0;
const send = (caller: Caller, id: string) => {
  sends += 1;
  return caller('POST', `/v1/conversations/${id}/messages`, { clientMsgId: `m${sends}`, body: {} });
};
const outcome = async (caller: Caller, id: string) => {
  const { status, body } = await send(caller, id);
  return status === 201 ? 'sent' : body.code;
};

/** The conversation's members as the append judges them. */
const blockedMembers = async (database: TestDatabase, id: string) => {
  const text = 'select user_id as id from member where conversation_id = $1 and blocked_at is not null order by 1';
  return (await database.query<{ id: string }>(text, [id])).map((row) => row.id);
};

describe('a block', () => {
  it('refuses the direct sends of the blocked in an existing conversation, and goes with the unblocking', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
    await using server = await startApiServer(database, { config });
    const [ann, bob] = [server.as(app, 'ann'), server.as(app, 'bob')];
    const id = await direct(ann, 'bob');
    const { body } = await ann('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
    const group = (body.conversation as { id: string }).id;
    const heard = { ann: await listenToUser(server.bus, 'demo', 'ann'), bob: await listenToUser(server.bus, 'demo', 'bob') };
    expect((await ann('PUT', '/v1/me/blocks/bob')).body).toEqual({ changed: true });
    expect([await outcome(bob, id), await outcome(ann, id), await outcome(bob, group)]).toEqual(['blocked', 'sent', 'sent']);
    await waitFor('both to be told', () => [heard.ann, heard.bob].every(({ messages }) => messages.some(({ kind }) => kind === 'user')));
    const [row] = await database.query<{ version: string; state: unknown }>(
      `select version, state from feed where user_id = 'ann' and subject = 'block/bob'`,
    );
    expect(row?.state).toEqual({ blocked: true });
    expect(heard.ann.highest('u/ann')).toBeGreaterThanOrEqual(Number(row?.version));
    expect(await database.query(`select from feed where user_id = 'bob' and subject like 'block/%'`)).toEqual([]);
    expect((await ann('PUT', '/v1/me/blocks/bob')).body).toEqual({ changed: false });
    expect((await ann('GET', '/v1/me/blocks')).body).toEqual({ items: [{ userId: 'bob' }], nextCursor: null });
    expect((await bob('GET', '/v1/me/blocks')).body).toEqual({ items: [], nextCursor: null });
    // The other direction is a block of its own.
    expect((await bob('PUT', '/v1/me/blocks/ann')).body).toEqual({ changed: true });
    expect([await outcome(bob, id), await outcome(ann, id)]).toEqual(['blocked', 'blocked']);
    expect((await ann('DELETE', '/v1/me/blocks/bob')).body).toEqual({ changed: true });
    expect([await outcome(bob, id), await outcome(ann, id)]).toEqual(['sent', 'blocked']);
    expect((await bob('DELETE', '/v1/me/blocks/ann')).body).toEqual({ changed: true });
    expect((await bob('DELETE', '/v1/me/blocks/ann')).body).toEqual({ changed: false });
    expect([await outcome(bob, id), await outcome(ann, id)]).toEqual(['sent', 'sent']);
    await waitFor('the outbox to be empty', async () => (await database.query('select from outbox')).length === 0);
  });

  it('is refused for oneself, for strangers and above the bound, and is listed page by page', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho', 'dan']);
    await using server = await startApiServer(database, { config, limits: { blocksPerUser: 2 } });
    const ann = server.as(app, 'ann');
    expect((await ann('PUT', '/v1/me/blocks/ann')).body.code).toBe('invalid_request');
    expect((await ann('PUT', '/v1/me/blocks/nobody')).body.code).toBe('user_unknown');
    expect((await ann('DELETE', '/v1/me/blocks/nobody')).body.code).toBe('user_unknown');
    for (const userId of ['dan', 'bob']) expect((await ann('PUT', `/v1/me/blocks/${userId}`)).status).toBe(200);
    const full = await ann('PUT', '/v1/me/blocks/cho');
    expect([full.status, full.body.code]).toEqual([409, 'limit_reached']);
    expect((await ann('PUT', '/v1/me/blocks/dan')).body).toEqual({ changed: false });
    expect((await ann('GET', '/v1/me/blocks?limit=1')).body).toEqual({ items: [{ userId: 'bob' }], nextCursor: 'bob' });
    expect((await ann('GET', '/v1/me/blocks?limit=1&cursor=bob')).body).toEqual({ items: [{ userId: 'dan' }], nextCursor: null });
  });
});

describe('a block and the creation of the direct conversation', () => {
  it('holds in a conversation that is created after it, whoever creates it', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
    await using server = await startApiServer(database, { config });
    const [ann, bob, cho] = [server.as(app, 'ann'), server.as(app, 'bob'), server.as(app, 'cho')];
    await ann('PUT', '/v1/me/blocks/bob');
    await ann('PUT', '/v1/me/blocks/cho');
    const byBlocked = await direct(bob, 'ann');
    const byBlocker = await direct(ann, 'cho');
    expect([await outcome(bob, byBlocked), await outcome(ann, byBlocked)]).toEqual(['blocked', 'sent']);
    expect([await outcome(cho, byBlocker), await outcome(ann, byBlocker)]).toEqual(['blocked', 'sent']);
  });

  it('holds when both happen at once', async () => {
    await using database = await createTestDatabase();
    // All blocks are ann's: they contend for her row on purpose.
    await setLockTimeout(database, '20s', 'set_block', 'mirror_block', 'create_conversation', 'apply_feed');
    const users = Array.from({ length: 20 }, (_, n) => `u${n}`);
    const app = await createTestApp(database, 'demo', ['ann', ...users]);
    await using one = await startApiServer(database, { config });
    await using two = await startApiServer(database, { config });
    const tasks = users.flatMap((user) => [
      () => one.as(app, 'ann')('PUT', `/v1/me/blocks/${user}`),
      () => two.as(app, user)('POST', '/v1/conversations', { type: 'direct', members: ['ann'] }),
    ]);
    const answers = await runTogether(tasks);
    expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.status : answer.reason))).toEqual(
      users.flatMap(() => [200, 201]),
    );
    for (const user of users) expect(await blockedMembers(database, directConversationId('demo', 'ann', user))).toEqual([user]);
  });

  it('holds after a crash between the two commits and what follows from them', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
    const never = { ...config, sweeper: { intervalMs: 3_600_000, ageMs: 3_600_000, rowTimeoutMs: 5_000 } };
    const bus = new MemoryBus();
    {
      await using crashing: ApiServer = await startApiServer(database, { config: never, stores: withoutMirror });
      const [ann, cho] = [crashing.as(app, 'ann'), crashing.as(app, 'cho')];
      const id = await direct(ann, 'bob').catch(() => directConversationId('demo', 'ann', 'bob'));
      await ann('PUT', '/v1/me/blocks/bob');
      await ann('PUT', '/v1/me/blocks/cho');
      await direct(cho, 'ann').catch(() => undefined);
      expect(await blockedMembers(database, id)).toEqual([]);
    }
    const heard = await listenToUser(bus, 'demo', 'bob');
    await using server = await startApiServer(database, {
      bus,
      config: { ...config, sweeper: { intervalMs: 20, ageMs: 1, rowTimeoutMs: 5_000 } },
    });
    await database.query('update outbox set next_at = created_at');
    await waitFor('the outbox to be empty', async () => (await database.query('select from outbox')).length === 0);
    expect(await blockedMembers(database, directConversationId('demo', 'ann', 'bob'))).toEqual(['bob']);
    expect(await blockedMembers(database, directConversationId('demo', 'ann', 'cho'))).toEqual(['cho']);
    expect(heard.messages).toContainEqual({ kind: 'user' });
    expect((await server.as(app, 'ann')('GET', '/v1/me/blocks')).body.items).toHaveLength(2);
  });
});

/** As if the process died whenever it comes to mirror a block. */
function withoutMirror(stores: ApiStores): ApiStores {
  for (const store of stores.databases) store.mirrorBlock = () => Promise.reject(new Error('it died here'));
  return stores;
}
