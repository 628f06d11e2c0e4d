import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import { createTcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { createTestApp, startApiServer } from './support/api-server.ts';

describe('when the connection to the database is lost', () => {
  it('an append whose outcome is not known is a 503, and the same clientMsgId settles it', async () => {
    await using database = await createTestDatabase();
    await using proxy = await createTcpProxy({ port: Number(new URL(database.connectionString).port) });
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server = await startApiServer(database, { connectionString: proxy.through(database.connectionString) });
    const ann = server.as(app, 'ann');
    const created = await ann('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
    const { id } = created.body.conversation as { id: string };
    const send = (clientMsgId: string) => ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId, body: { text: clientMsgId } });
    expect((await send('before')).status).toBe(201);

    proxy.stall('toClient');
    const lost = send('lost');
    await waitFor('the commit', async () => (await database.query('select 1 from entry where client_msg_id = $1', ['lost'])).length === 1);
    expect(proxy.reset()).toBeGreaterThan(0);
    const answer = await lost;
    expect([answer.status, answer.body.code, answer.body.retryable]).toEqual([503, 'database_unavailable', true]);
    expect(answer.headers.get('retry-after')).not.toBeNull();

    proxy.heal();
    const again = await waitFor('the database', async () => {
      const retry = await send('lost');
      return retry.status < 500 ? retry : undefined;
    });
    expect([again.status, again.body.seq]).toEqual([200, 3]);
    expect((await send('after')).body.seq).toBe(4);
  });

  it('everything is a 503 while it refuses connections, the process is not ready, and it recovers by itself', async () => {
    await using database = await createTestDatabase();
    await using proxy = await createTcpProxy({ port: Number(new URL(database.connectionString).port) });
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server = await startApiServer(database, { connectionString: proxy.through(database.connectionString) });
    const ann = server.as(app, 'ann');
    const created = await ann('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
    const { id } = created.body.conversation as { id: string };

    proxy.refuse();
    proxy.reset();
    const requests: [string, string, unknown?][] = [
      ['POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'x', body: {} }],
      ['PUT', `/v1/conversations/${id}/read`, { seq: 1 }],
      ['PUT', `/v1/conversations/${id}/members/bob`, { role: 'moderator' }],
      ['DELETE', `/v1/conversations/${id}/members/bob`],
      ['GET', `/v1/conversations/${id}`],
      ['GET', `/v1/conversations/${id}/members`],
      ['POST', '/v1/conversations', { type: 'group', members: ['bob'] }],
    ];
    for (const [method, path, body] of requests) {
      const answer = await ann(method, path, body);
      expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 503, 'database_unavailable']);
    }
    expect((await server.call('GET', '/readyz')).status).toBe(503);
    expect(proxy.stats.fired.refuse).toBeGreaterThan(0);

    proxy.heal();
    await waitFor(
      'the first success',
      async () => (await ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'x', body: {} })).status === 201,
    );
    expect((await server.call('GET', '/readyz')).status).toBe(200);
  });
});
