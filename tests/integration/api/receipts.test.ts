import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { type ApiAnswer, type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { type Heard, listenToConversation } from './support/listener.ts';

let database: TestDatabase;
let app: TestApp;
let server: ApiServer;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho', 'dee', 'eve']);
  server = await startApiServer(database, { limits: { receiptMembers: 3 } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function newConversation(members: string[], messages: number): Promise<string> {
  const ann = server.as(app, 'ann');
  const answer = await ann('POST', '/v1/conversations', { type: 'group', members });
  const { id } = answer.body.conversation as { id: string };
  for (let n = 0; n < messages; n += 1) await ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId: `m${n}`, body: {} });
  return id;
}

const mark = (userId: string, id: string, what: 'read' | 'delivered', seq: number): Promise<ApiAnswer> =>
  server.as(app, userId)('PUT', `/v1/conversations/${id}/${what}`, { seq });
const receipts = (heard: Heard) => heard.messages.filter((message) => message.kind === 'receipt');

describe('a delivered position', () => {
  it('moves forward, never past the head or behind what was read', async () => {
    const id = await newConversation(['bob'], 4);
    expect((await mark('bob', id, 'delivered', 3)).body).toEqual({ deliveredSeq: 3 });
    expect((await mark('bob', id, 'delivered', 2)).body).toEqual({ deliveredSeq: 3 });
    expect((await mark('bob', id, 'read', 4)).body).toEqual({ readSeq: 4, unread: 1 });
    expect((await mark('bob', id, 'delivered', 2)).body).toEqual({ deliveredSeq: 4 });
    expect((await mark('bob', id, 'delivered', 1_000)).body).toEqual({ deliveredSeq: 5 });
  });

  it('is not found for strangers, nor where there is nothing', async () => {
    const id = await newConversation(['bob'], 0);
    const [stranger, nowhere] = [await mark('eve', id, 'delivered', 1), await mark('eve', randomUUID(), 'delivered', 1)];
    expect(stranger.status).toBe(404);
    expect({ ...stranger.body, requestId: '' }).toEqual({ ...nowhere.body, requestId: '' });
  });
});

describe('receipts', () => {
  it('tell the watchers of a small conversation how far others are, the newest in place of all before', async () => {
    const id = await newConversation(['bob', 'cho'], 3);
    const watcher = await listenToConversation(server.bus, 'demo', id);
    await Promise.all([mark('bob', id, 'delivered', 4), mark('bob', id, 'read', 2), mark('cho', id, 'delivered', 3)]);
    await expect.poll(() => receipts(watcher)).toContainEqual({ kind: 'receipt', conversationId: id, userId: 'cho', deliveredSeq: 3 });
    await mark('bob', id, 'read', 4);
    await expect
      .poll(() => receipts(watcher).findLast((message) => message.userId === 'bob'))
      .toMatchObject({ kind: 'receipt', conversationId: id, readSeq: 4 });
    const before = receipts(watcher).length;
    await mark('bob', id, 'read', 4);
    await mark('ann', id, 'read', 4);
    await mark('cho', id, 'read', 4);
    await expect.poll(() => receipts(watcher).some((message) => message.userId === 'cho' && message.readSeq === 4)).toBe(true);
    expect(receipts(watcher).filter((message) => message.userId === 'bob').length).toBeLessThanOrEqual(before);
  });

  it('are not told in a larger one', async () => {
    const [large, small] = [await newConversation(['bob', 'cho', 'dee'], 1), await newConversation(['bob'], 1)];
    const [ofLarge, ofSmall] = [
      await listenToConversation(server.bus, 'demo', large),
      await listenToConversation(server.bus, 'demo', small),
    ];
    await mark('bob', large, 'read', 2);
    await mark('bob', small, 'read', 2);
    await expect.poll(() => receipts(ofSmall)).toHaveLength(1);
    expect(receipts(ofLarge)).toEqual([]);
  });
});
