import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import { createTestApp, startApiServer } from './support/api-server.ts';
import { refusedWhole } from './support/half-done.ts';

const thumb = encodeURIComponent('👍');

/** Every route of one conversation that changes or shows something, with a body that a member could send. */
const requests: readonly [string, string, unknown?][] = [
  ['GET', ''],
  ['PATCH', '', { title: 'x' }],
  ['GET', '/members'],
  ['PUT', '/members/bob'],
  ['DELETE', '/members/bob'],
  ['DELETE', '/members/me'],
  ['PUT', '/owner', { userId: 'bob' }],
  ['PUT', '/members/bob/mute', { seconds: 5 }],
  ['DELETE', '/members/bob/mute'],
  ['GET', '/bans'],
  ['PUT', '/bans/bob', {}],
  ['DELETE', '/bans/bob'],
  ['POST', '/messages', { clientMsgId: 'x', body: {}, mentions: ['bob'], replyTo: 2 }],
  ['PATCH', '/messages/2', { body: {} }],
  ['DELETE', '/messages/2'],
  ['PUT', `/messages/2/reactions/${thumb}`],
  ['DELETE', `/messages/2/reactions/${thumb}`],
  ['PUT', '/messages/2/pin'],
  ['DELETE', '/messages/2/pin'],
  ['PUT', '/read', { seq: 1 }],
  ['PUT', '/delivered', { seq: 1 }],
];

it('who never was a member, has left, is banned or belongs to another app learns nothing: as if there were nothing', async () => {
  await using database = await createTestDatabase();
  const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho', 'dee', 'eve']);
  const other = await createTestApp(database, 'other', ['ann', 'bob']);
  await using server = await startApiServer(database);
  const ann = server.as(app, 'ann');
  const created = await ann('POST', '/v1/conversations', { type: 'group', members: ['bob', 'cho', 'dee'] });
  const { id } = created.body.conversation as { id: string };
  await ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'm', body: {} });
  await server.as(app, 'cho')('DELETE', `/v1/conversations/${id}/members/me`);
  await ann('PUT', `/v1/conversations/${id}/bans/dee`);
  const outsiders = [server.as(app, 'eve'), server.as(app, 'cho'), server.as(app, 'dee'), server.as(other, 'ann')];
  for (const [method, path, body] of requests) {
    const nowhere = await ann(method, `/v1/conversations/${randomUUID()}${path}`, body);
    expect(nowhere.status).toBe(404);
    for (const outsider of outsiders) {
      const ask = () => outsider(method, `/v1/conversations/${id}${path}`, body);
      const answer = await refusedWhole(database, id, ask, '404 not_found');
      expect({ ...answer.body, requestId: '' }).toEqual({ ...nowhere.body, requestId: '' });
    }
  }
});
