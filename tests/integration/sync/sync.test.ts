import { type ConversationDelta, syncAnswerSchema } from '@nudge/types';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createWorld, range, type SyncServer, seqs, type World } from './support/sync-server.ts';

let world: World;
let server: SyncServer;
beforeAll(async () => {
  world = await createWorld();
  server = await world.serve({ limits: { pageEntries: 20, tooLongEntries: 50, syncEntries: 100 } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

test('everything missed in many logs comes in one answer, cold or warm, with min or without', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i += 1) ids.push(await world.conversation(['ann', 'bob']));
  const heads = await Promise.all(ids.map((id, i) => world.send(id, 'ann', 3 * i + 1)));
  const bob = server.as('bob');
  const logs = (withMin: boolean) => Object.fromEntries(ids.map((id, i) => [id, { after: 1, ...(withMin ? { min: heads[i] } : {}) }]));
  for (const withMin of [false, false, true, true, false]) {
    const { status, headers, body } = await bob.sync({ conversations: logs(withMin) });
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    const answer = syncAnswerSchema.parse(body);
    expect(answer).not.toHaveProperty('feed');
    expect(answer).not.toHaveProperty('heads');
    ids.forEach((id, i) => {
      const head = heads[i] ?? 0;
      const delta = answer.conversations[id];
      expect(delta).toMatchObject({ head, oldestSeq: 1, more: false, mine: {} });
      expect(entriesOf(delta)).toEqual(range(2, head));
    });
  }
});

test('an answer is bounded for each log and in total, each log gets a share, and asking on gets everything', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 4; i += 1) ids.push(await world.conversation(['ann']));
  await Promise.all(ids.map((id, i) => world.send(id, 'ann', i === 0 ? 2 : 30)));
  const cursors = new Map(ids.map((id) => [id, 0]));
  const first = await server
    .as('ann')
    .sync({ conversations: Object.fromEntries([...cursors].map(([id, after]) => [id, { after }])), limit: 21 });
  expect(ids.map((id) => entriesOf(first.body.conversations[id]).length)).toEqual([3, 6, 6, 6]);
  expect(ids.map((id) => moreOf(first.body.conversations[id]))).toEqual([false, true, true, true]);
  const nothing = await server.as('ann').sync({ conversations: Object.fromEntries(ids.map((id) => [id, { after: 0 }])), limit: 1 });
  expect(ids.filter((id) => entriesOf(nothing.body.conversations[id]).length === 0 && moreOf(nothing.body.conversations[id]))).toHaveLength(
    3,
  );

  const found = new Map<string, number[]>();
  while (cursors.size > 0) {
    const { body } = await server
      .as('ann')
      .sync({ conversations: Object.fromEntries([...cursors].map(([id, after]) => [id, { after }])), limit: 50 });
    for (const [id, after] of [...cursors]) {
      const entries = entriesOf(body.conversations[id]);
      expect(entries.length).toBeLessThanOrEqual(20);
      found.set(id, [...(found.get(id) ?? []), ...entries]);
      cursors.set(id, entries.at(-1) ?? after);
      if (!moreOf(body.conversations[id])) cursors.delete(id);
    }
  }
  expect(ids.map((id) => found.get(id))).toEqual([range(1, 3), range(1, 31), range(1, 31), range(1, 31)]);
});

test('a cursor too far behind starts a new range from the end', async () => {
  const id = await world.conversation(['ann']);
  const head = await world.send(id, 'ann', 60);
  for (const round of ['cold', 'warm']) {
    const { body } = await server.as('ann').sync({ conversations: { [id]: { after: head - 51 } } });
    expect(body.conversations[id], round).toMatchObject({ head, more: false, tooLong: { snapshotSeq: head, oldestSeq: 1 } });
    expect(entriesOf(body.conversations[id])).toEqual(range(head - 19, head));
    const paged = await server.as('ann').sync({ conversations: { [id]: { after: head - 50 } } });
    expect(entriesOf(paged.body.conversations[id])).toEqual(range(head - 49, head - 30));
    expect(paged.body.conversations[id]).not.toHaveProperty('tooLong');
  }
});

test('a cursor below the visible start is told where that is', async () => {
  const id = await world.conversation(['ann'], { history: 'since_join' });
  await world.send(id, 'ann', 3);
  const joined = await world.put(id, 'ann', 'dan');
  const head = await world.send(id, 'ann', 2);
  for (const after of [0, joined - 2]) {
    const { body } = await server.as('dan').sync({ conversations: { [id]: { after } } });
    expect(body.conversations[id]).toMatchObject({ tooLong: { snapshotSeq: head, oldestSeq: joined }, oldestSeq: joined, head });
    expect(entriesOf(body.conversations[id])).toEqual(range(joined, head));
  }
  const { body } = await server.as('dan').sync({ conversations: { [id]: { after: joined - 1 } } });
  expect(body.conversations[id]).not.toHaveProperty('tooLong');
});

test('one log that fails does not fail the others', async () => {
  const [good, left, others] = [
    await world.conversation(['ann']),
    await world.conversation(['bob', 'ann']),
    await world.conversation(['bob']),
  ];
  await world.leave(left, 'ann');
  const foreign = await world.conversation(['ann'], { appId: 'two' });
  const nowhere = '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e';
  const { status, body } = await server.as('ann').sync({
    conversations: {
      [good]: { after: 0 },
      [left]: { after: 0 },
      [others]: { after: 0, min: 999 },
      [foreign]: { after: 0 },
      [nowhere]: { after: 5 },
    },
  });
  expect(status).toBe(200);
  expect(entriesOf(body.conversations[good])).toEqual([1]);
  for (const id of [left, others, foreign, nowhere])
    expect(body.conversations[id]).toEqual({ error: { code: 'not_found', retryable: false } });
  const ahead = await server.as('ann').sync({ conversations: { [good]: { after: 0, min: 2 } } });
  expect(ahead.body.conversations[good]).toEqual({ error: { code: 'seq_ahead', retryable: false } });
});

test('feed, app log and heads come only when asked for', async () => {
  const id = await world.conversation(['eve']);
  const eve = server.as('eve');
  const { body } = await eve.sync({ feed: { after: 0 }, app: { after: 0 }, heads: {} });
  const answer = syncAnswerSchema.parse(body);
  expect(answer.feed).toMatchObject({
    version: 1,
    more: false,
    items: [{ subject: `member/${id}`, version: 1, state: { state: 'joined' } }],
  });
  expect(answer.app).toEqual({ entries: [], head: 0, more: false });
  expect(answer.heads?.items).toMatchObject([{ id, lastSeq: 1 }]);
  expect(answer.conversations).toEqual({});
  expect(Math.abs(Date.parse(answer.serverTime) - Date.now())).toBeLessThan(60_000);
  expect((await eve.sync({})).body).toEqual({ epoch: 1, serverTime: expect.any(String), conversations: {} });
});

test('a feed is paged by its versions, and one that is not that far is 409', async () => {
  for (let i = 0; i < 25; i += 1) await world.conversation(['fay']);
  const fay = server.as('fay');
  const first = (await fay.sync({ feed: { after: 0 } })).body.feed;
  expect([first?.items.map((item) => item.version), first?.more, first?.version]).toEqual([range(1, 20), true, 20]);
  const rest = (await fay.sync({ feed: { after: first?.version, min: 25 } })).body.feed;
  expect([rest?.items.map((item) => item.version), rest?.more, rest?.version]).toEqual([range(21, 25), false, 25]);
  for (const feed of [{ after: 26 }, { after: 0, min: 26 }]) {
    expect(await fay.sync({ feed })).toMatchObject({ status: 409, body: { code: 'seq_ahead' } });
  }
  expect(await fay.sync({ app: { after: 1 } })).toMatchObject({ status: 409, body: { code: 'seq_ahead' } });
});

test('more logs than an answer may name are refused', async () => {
  const ids = Array.from({ length: 101 }, (_, i) => `019aa5b2-7c1e-7d3a-9f00-${String(i).padStart(12, '0')}`);
  expect(await server.as('ann').sync({ conversations: Object.fromEntries(ids.map((id) => [id, { after: 0 }])) })).toMatchObject({
    status: 400,
  });
  const { status, body } = await server.as('ann').sync({ conversations: Object.fromEntries(ids.slice(1).map((id) => [id, { after: 0 }])) });
  expect([status, Object.keys(body.conversations).length]).toEqual([200, 100]);
});

function entriesOf(delta: ConversationDelta | undefined): number[] {
  return delta !== undefined && 'entries' in delta ? seqs(delta) : [];
}

function moreOf(delta: ConversationDelta | undefined): boolean | undefined {
  return delta !== undefined && 'entries' in delta ? delta.more : undefined;
}
