import { ManualClock } from '@nudge/server-kit/testing';
import { describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { createTestApp, startApiServer } from './support/api-server.ts';
import { listenToConversation, listenToUser } from './support/listener.ts';
import { watchStores } from './support/watched-stores.ts';

const outboxIsEmpty = async (database: TestDatabase) => (await database.query('select 1 from outbox')).length === 0;

describe('a large conversation', () => {
  it('has few fan-outs, the last of them with the newest seq; its outbox rows stay until then', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
    const clock = new ManualClock(Date.now());
    await using server = await startApiServer(database, {
      config: { pace: { freeMembers: 2, msPerMember: 2_000, maxMs: 2_000 }, outboxDelayMs: 1 },
      clock,
    });
    const asTimePasses = (what: string, stepMs: number, check: () => boolean | Promise<boolean>) =>
      waitFor(what, () => {
        clock.advance(stepMs);
        return check();
      });
    const created = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob', 'cho'] });
    const { id } = created.body.conversation as { id: string };
    await asTimePasses('all to know of it', 1, () => outboxIsEmpty(database));
    const bob = await listenToUser(server.bus, 'demo', 'bob');
    const watcher = await listenToConversation(server.bus, 'demo', id);
    for (let n = 0; n < 10; n += 1) {
      clock.advance(100);
      await server.as(app, 'ann')('POST', `/v1/conversations/${id}/messages`, { clientMsgId: `m${n}`, body: {} });
    }
    await waitFor('the watcher to know', () => watcher.highest(`c/${id}`) === 11);
    expect(bob.highest(`c/${id}`)).toBeLessThan(11);
    expect((await database.query('select 1 from outbox')).length).toBeGreaterThan(0);
    await asTimePasses('the last key', 100, () => bob.highest(`c/${id}`) === 11);
    expect(bob.messages.filter((message) => message.kind === 'key' && message.log === `c/${id}`).length).toBeLessThan(5);
    await asTimePasses('the outbox to be empty', 100, () => outboxIsEmpty(database));
  });

  it('is sent at once when the API stops, and leaves no row', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
    const server = await startApiServer(database, { config: { pace: { freeMembers: 2, msPerMember: 60_000, maxMs: 60_000 } } });
    const created = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob', 'cho'] });
    const { id } = created.body.conversation as { id: string };
    await waitFor('all to know of it', () => outboxIsEmpty(database));
    const bob = await listenToUser(server.bus, 'demo', 'bob');
    await server.as(app, 'ann')('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'm', body: {} });
    expect(bob.highest(`c/${id}`)).toBe(0);
    await server[Symbol.asyncDispose]();
    expect(bob.highest(`c/${id}`)).toBe(2);
    expect(await database.query('select 1 from outbox')).toEqual([]);
  });

  it('of 10,000 begins with one entry; feeds follow the answer; members come and go without the list being read again', async () => {
    await using database = await createTestDatabase();
    const users = Array.from({ length: 9_999 }, (_, n) => `u${n}`);
    const app = await createTestApp(database, 'demo', ['ann', 'eve', ...users]);
    const watched = watchStores();
    // A sweep reads the list of members too.
    const sweeper = { intervalMs: 3_600_000, ageMs: 3_600_000, rowTimeoutMs: 20_000 };
    await using server = await startApiServer(database, { stores: watched.wrap, config: { sweeper } });
    const answer = await server.asServer(app)('POST', '/v1/admin/conversations', { type: 'group', createdBy: 'ann', members: users });
    expect(answer.status).toBe(201);
    const { id, memberCount } = answer.body.conversation as { id: string; memberCount: number };
    expect(memberCount).toBe(10_000);
    expect(await database.query('select seq::int, type from entry where conversation_id = $1', [id])).toEqual([
      { seq: 1, type: 'conversation.created' },
    ]);
    const feeds = async () =>
      (await database.query<{ n: number }>(`select count(*)::int as n from feed where subject = $1`, [`member/${id}`]))[0]?.n;
    await waitFor('all feeds', async () => (await feeds()) === 10_000);
    await waitFor('the list of members', () => watched.calls('memberList') === 1);

    const eve = await listenToUser(server.bus, 'demo', 'eve');
    const gone = await listenToUser(server.bus, 'demo', 'u5');
    const ann = server.as(app, 'ann');
    for (let n = 0; n < 5; n += 1) {
      expect((await ann('PUT', `/v1/conversations/${id}/members/eve`)).body).toMatchObject({ changed: true });
      expect((await ann('DELETE', `/v1/conversations/${id}/members/eve`)).body).toMatchObject({ changed: true });
    }
    await ann('PUT', `/v1/conversations/${id}/members/eve`);
    await ann('PUT', `/v1/conversations/${id}/members/u7/mute`, { seconds: 60 });
    await ann('DELETE', `/v1/conversations/${id}/members/u5`);
    await ann('PUT', `/v1/conversations/${id}/bans/u6`);
    const last = await ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'm', body: {}, mentions: ['u7'] });
    await waitFor('the newest key', () => eve.highest(`c/${id}`) === last.body.seq);
    expect(gone.highest(`c/${id}`)).toBeLessThan(last.body.seq as number);
    expect(watched.calls('memberList')).toBe(1);
  });
});
