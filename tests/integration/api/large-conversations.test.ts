import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { createTestApp, startApiServer } from './support/api-server.ts';
import { listenToConversation, listenToUser } from './support/listener.ts';

describe('a large conversation', () => {
  it('has few fan-outs, the last of them with the newest seq; its outbox rows stay until then', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
    await using server = await startApiServer(database, {
      config: { pace: { freeMembers: 2, msPerMember: 700, maxMs: 700 }, outboxDelayMs: 1 },
    });
    const created = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob', 'cho'] });
    const { id } = created.body.conversation as { id: string };
    const bob = await listenToUser(server.bus, 'demo', 'bob');
    const watcher = await listenToConversation(server.bus, 'demo', id);
    for (let n = 0; n < 10; n += 1) {
      await server.as(app, 'ann')('POST', `/v1/conversations/${id}/messages`, { clientMsgId: `m${n}`, body: {} });
    }
    expect(watcher.highest(`c/${id}`)).toBe(11);
    expect(bob.highest(`c/${id}`)).toBeLessThan(11);
    expect((await database.query('select 1 from outbox')).length).toBeGreaterThan(0);
    await waitFor('the last key', () => bob.highest(`c/${id}`) === 11);
    expect(bob.messages.filter((message) => message.kind === 'key' && message.log === `c/${id}`).length).toBeLessThan(5);
    await waitFor('the outbox to be empty', async () => (await database.query('select 1 from outbox')).length === 0);
  });

  it('is sent at once when the API stops, and leaves no row', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
    const server = await startApiServer(database, { config: { pace: { freeMembers: 2, msPerMember: 60_000, maxMs: 60_000 } } });
    const created = await server.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob', 'cho'] });
    const { id } = created.body.conversation as { id: string };
    const bob = await listenToUser(server.bus, 'demo', 'bob');
    await server.as(app, 'ann')('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'm', body: {} });
    expect(bob.highest(`c/${id}`)).toBe(0);
    await server[Symbol.asyncDispose]();
    expect(bob.highest(`c/${id}`)).toBe(2);
    expect(await database.query('select 1 from outbox')).toEqual([]);
  });
});
