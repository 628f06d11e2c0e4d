import { entriesPageSchema } from '@nudge/types';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorld, range, type SyncServer, sayMembersChanged, seqs, type World } from './support/sync-server.ts';

let world: World;
let server: SyncServer;
beforeAll(async () => {
  world = await createWorld();
  server = await world.serve();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

test('pages in both directions are true parts of the log, as the contract describes them', async () => {
  const id = await world.conversation(['ann', 'bob']);
  const head = await world.send(id, 'ann', 60);
  const bob = server.as('bob');
  const cases: [string, number[], boolean][] = [
    ['', range(12, 61), true],
    ['?limit=5', range(57, 61), true],
    ['?after=0&limit=3', range(1, 3), true],
    ['?after=58', range(59, 61), false],
    ['?after=61', [], false],
    ['?before=10&limit=4', range(6, 9), true],
    ['?before=4&limit=10', range(1, 3), false],
    ['?before=62&limit=2', range(60, 61), true],
    ['?before=1', [], false],
    [`?after=40&min=${head}&limit=200`, range(41, 61), false],
  ];
  for (const round of ['cold', 'warm', 'warm again']) {
    for (const [query, expected, more] of cases) {
      const { status, headers, body } = await bob.entries(id, query);
      expect([round, query, status, seqs(body), body.more], `${round} ${query}`).toEqual([round, query, 200, expected, more]);
      expect(entriesPageSchema.parse(body)).toMatchObject({ epoch: 1, head, oldestSeq: 1, mine: {} });
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('etag')).toBeNull();
    }
  }
});

test('the text of an entry is passed through as the database wrote it', async () => {
  const id = await world.conversation(['ann', 'bob']);
  await world.send(id, 'ann');
  const { text } = await server.as('ann').entries(id);
  expect(JSON.parse(text).entries).toMatchObject([
    { seq: 1, type: 'conversation.created', senderId: '$system', body: { type: 'group', by: 'ann', members: ['bob'] } },
    { seq: 2, type: 'message', senderId: 'ann', clientMsgId: expect.any(String), body: { text: expect.any(String) } },
  ]);
  expect(text).not.toContain('\n');
});

test.each([
  '?after=1&before=2',
  '?after=-1',
  '?after=1.5',
  '?after=1e3',
  '?limit=0',
  '?limit=201',
  '?limit=1000000000',
  '?min=99999999999999999',
  '?after=1&after=2',
  '?x=1',
])('%s is refused', async (query) => {
  const id = await world.conversation(['ann']);
  expect(await server.as('ann').entries(id, query)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});

test('a seq that the log has not reached is 409, however it is named', async () => {
  const id = await world.conversation(['ann']);
  const head = await world.send(id, 'ann', 3);
  for (const query of [`?after=${head}&min=${head + 1}`, `?after=${head + 1}`, `?before=${head + 2}`, `?min=${Number.MAX_SAFE_INTEGER}`]) {
    expect(await server.as('ann').entries(id, query), query).toMatchObject({ status: 409, body: { code: 'seq_ahead', retryable: false } });
  }
});

test('missing and forbidden are the same: stranger, other app, no such conversation, one who left', async () => {
  const id = await world.conversation(['ann', 'bob', 'cat']);
  await world.send(id, 'ann', 3);
  await server.as('ann').entries(id);
  await server.as('cat').entries(id);
  await world.leave(id, 'cat');
  const nowhere = '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e';
  const refusals = await Promise.all(
    ['', '?after=1', '?after=1&min=2', '?after=1&min=999', '?before=2'].flatMap((query) => [
      server.as('dan').entries(id, query),
      server.as('ann', 'two').entries(id, query),
      server.as('ann').entries(nowhere, query),
      server.as('cat').entries(id, query.includes('min') ? '?after=4&min=5' : query),
    ]),
  );
  for (const { status, body } of refusals)
    expect([status, { ...body, requestId: '' }]).toEqual([404, { ...refusals[0]?.body, requestId: '' }]);
});

test('whoever left is cut off at once by a control message, though a key would have been answered from the tail', async () => {
  const id = await world.conversation(['ann', 'bob']);
  const head = await world.send(id, 'ann', 2);
  const bob = server.as('bob');
  for (let i = 0; i < 3; i += 1) expect((await bob.entries(id, `?after=1&min=${head}`)).status).toBe(200);
  const left = await world.leave(id, 'bob');
  await sayMembersChanged(server, id, 2, left);
  expect((await bob.entries(id, `?after=1&min=${head}`)).status).toBe(404);
});

test('since_join shows nothing from before, and a rejoin starts anew', async () => {
  const id = await world.conversation(['ann', 'bob'], { history: 'since_join' });
  await world.send(id, 'ann', 5);
  const joined = await world.put(id, 'ann', 'dan');
  const head = await world.send(id, 'ann', 2);
  const dan = server.as('dan');
  for (const [query, expected] of [
    ['', range(joined, head)],
    ['?after=0', range(joined, head)],
    [`?before=${joined}`, []],
    [`?before=${joined + 1}`, [joined]],
    [`?after=2&min=${head}&limit=2`, [joined, joined + 1]],
  ] as const) {
    const { body } = await dan.entries(id, query);
    expect([query, seqs(body), body.oldestSeq]).toEqual([query, expected, joined]);
  }
  expect((await server.as('bob').entries(id, '?after=0')).body.oldestSeq).toBe(1);
  await world.leave(id, 'dan');
  const again = await world.put(id, 'ann', 'dan');
  expect((await dan.entries(id)).body).toMatchObject({ oldestSeq: again, entries: [{ seq: again }] });
});

test('every page of a log, from any cursor, adds up to the log', async () => {
  const id = await world.conversation(['ann']);
  const head = await world.send(id, 'ann', 130);
  for (const start of [0, 1, 64, 130, 131]) {
    const found: number[] = [];
    for (let after = start, more = true; more; ) {
      const { body } = await server.as('ann').entries(id, `?after=${after}&limit=37`);
      found.push(...seqs(body));
      after = body.entries.at(-1)?.seq ?? after;
      more = body.more;
    }
    expect(found).toEqual(range(start + 1, head));
  }
});
