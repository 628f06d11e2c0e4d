import { describe, expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, range, useWorld } from './support/world.ts';

const world = useWorld({ env: { LIMIT_RECEIPT_MEMBERS: '3' } });
const { said, mark, put, remove, redact } = actsOn(() => world.http);

const deliver = (by: Person, id: string, seq: number) =>
  world.http.call('markDelivered', { token: by.token, params: { conversationId: id }, body: { seq } });
const receipts = async (viewer: Person, id: string, query: Record<string, string | number> = {}) =>
  (await world.http.call('listReceipts', { token: viewer.token, params: { conversationId: id }, query })).ok();
const stateOfMember = async (viewer: Person, id: string, who: Person) =>
  (await receipts(viewer, id)).items.find(({ userId }) => userId === who.id);

describe('a delivered position', () => {
  it('moves forward, never back, is clamped to the head and follows what is read', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await world.sendMany(ann, id, 5);
    expect((await deliver(bob, id, 3)).ok()).toEqual({ deliveredSeq: 3 });
    expect((await deliver(bob, id, 2)).ok()).toEqual({ deliveredSeq: 3 });
    expect((await deliver(bob, id, 0)).ok()).toEqual({ deliveredSeq: 3 });
    (await mark(bob, id, 4)).ok();
    expect(await stateOfMember(ann, id, bob)).toEqual({ userId: bob.id, readSeq: 4, deliveredSeq: 4 });
    expect((await deliver(bob, id, Number.MAX_SAFE_INTEGER)).ok()).toEqual({ deliveredSeq: 6 });
    expect(await stateOfMember(ann, id, bob)).toEqual({ userId: bob.id, readSeq: 4, deliveredSeq: 6 });
    // It is nothing but a receipt: no unread count and no feed moves.
    expect(await world.head(bob, id)).toMatchObject({ readSeq: 4, unread: 2 });
  });

  it('ends highest when many set it at once, and stays out of the feed', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await world.sendMany(ann, id, 20);
    const version = (await world.sync(bob, { feed: { after: 0 } })).feed?.version;
    await Promise.all(range(1, 20).map((seq) => deliver(bob, id, seq)));
    expect((await stateOfMember(ann, id, bob))?.deliveredSeq).toBe(20);
    expect((await world.sync(bob, { feed: { after: 0 } })).feed?.version).toBe(version);
  });

  it('is refused to strangers and for what is no seq', async () => {
    const [ann, eve] = await world.people('ann', 'eve');
    const { id } = await world.create(ann);
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await deliver(eve, id, 1)).refused('not_found');
      for (const seq of [-1, 1.5, '1', null]) {
        const request = { token: ann.token, params: { conversationId: id }, body: { seq } };
        (await world.http.call('markDelivered', request)).refused('invalid_request');
      }
    });
  });
});

describe('GET …/receipts', () => {
  it('says how far each has come, and of a message how many others have read and received it', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    const one = await said(ann, id, 'one');
    const two = await said(bob, id, 'two');
    (await mark(bob, id, one)).ok();
    (await mark(cem, id, two)).ok();
    (await mark(ann, id, two)).ok();
    (await deliver(bob, id, two)).ok();
    const all = await receipts(cem, id);
    expect(all.items).toEqual(
      [
        { userId: ann.id, readSeq: two, deliveredSeq: two },
        { userId: bob.id, readSeq: one, deliveredSeq: two },
        { userId: cem.id, readSeq: two, deliveredSeq: two },
      ].toSorted((a, b) => (a.userId < b.userId ? -1 : 1)),
    );
    expect(all).not.toHaveProperty('readBy');
    expect(await receipts(ann, id, { seq: one })).toMatchObject({ readBy: 2, deliveredTo: 2 });
    // The sender aside: Bob's own reading of it is none.
    expect(await receipts(ann, id, { seq: two })).toMatchObject({ readBy: 2, deliveredTo: 2 });
    (await redact(ann, id, one)).ok();
    expect(await receipts(ann, id, { seq: one })).toMatchObject({ readBy: 2 });
  });

  it('comes in pages by user id, counts the present alone, and is 404 to strangers', async () => {
    const crowd = await world.peopleOf(
      world.system.app,
      range(1, 7).map((n) => `reader-${n}`),
    );
    const [ann, eve] = await world.people('ann', 'eve');
    const { id } = await world.create(ann, { members: crowd });
    const seq = await said(ann, id, 'x');
    for (const who of crowd) (await mark(who, id, seq)).ok();
    const names: string[] = [];
    for (let cursor: string | null | undefined; ; ) {
      const page = await receipts(ann, id, { limit: 3, seq, ...(cursor ? { cursor } : {}) });
      expect(page.readBy).toBe(7);
      names.push(...page.items.map(({ userId }) => userId));
      cursor = page.nextCursor;
      if (!cursor) break;
    }
    expect(names).toEqual([...crowd, ann].map((who) => who.id).toSorted());
    (await remove(ann, id, crowd[0] ?? ann)).ok();
    expect(await receipts(ann, id, { seq })).toMatchObject({ readBy: 6, deliveredTo: 6 });
    expect((await receipts(ann, id)).items.map(({ userId }) => userId)).not.toContain(crowd[0]?.id);
    (await world.http.call('listReceipts', { token: eve.token, params: { conversationId: id } })).refused('not_found');
    // Joining again begins a new range.
    (await put(ann, id, crowd[0] ?? ann)).ok();
    expect((await receipts(ann, id, { seq: (await world.entries(ann, id)).head })).items).toHaveLength(8);
  });
});

describe('who joined after a message', () => {
  it.each(['full', 'since_join'] as const)('is none of those who read it, with history %s', async (history) => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob], history });
    const seq = await said(ann, id, 'x');
    (await mark(bob, id, seq)).ok();
    (await put(ann, id, cem)).ok();
    const asked = async () => {
      const { items, readBy, deliveredTo } = await receipts(ann, id, { seq });
      return { users: items.map(({ userId }) => userId).toSorted(), readBy, deliveredTo };
    };
    expect(await asked()).toEqual({ users: [ann.id, bob.id].toSorted(), readBy: 1, deliveredTo: 1 });
    // Whoever comes again saw it in another membership, of which nothing is known any more.
    (await remove(ann, id, bob)).ok();
    (await put(ann, id, bob)).ok();
    expect(await asked()).toEqual({ users: [ann.id], readBy: 0, deliveredTo: 0 });
    expect((await receipts(ann, id)).items).toHaveLength(3);
    const next = await said(ann, id, 'y');
    (await mark(cem, id, next)).ok();
    expect(await receipts(ann, id, { seq: next })).toMatchObject({ readBy: 1, deliveredTo: 1 });
  });
});

describe('receipt events', () => {
  it('reach those who watch, and only what moved', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    await world.sendMany(ann, id, 3);
    const watcher = await world.device(ann);
    const idle = await world.device(cem);
    await watcher.ask('watch', { conversationIds: [id] });
    (await deliver(bob, id, 2)).ok();
    expect(await watcher.hear('receipt')).toEqual({ conversationId: id, userId: bob.id, deliveredSeq: 2 });
    (await mark(bob, id, 3)).ok();
    expect(await watcher.hear('receipt', ({ readSeq }) => readSeq === 3)).toMatchObject({ conversationId: id, userId: bob.id });
    const before = watcher.heard('receipt').length;
    (await mark(bob, id, 2)).ok();
    (await deliver(bob, id, 3)).ok();
    (await mark(bob, id, 4)).ok();
    await watcher.hear('receipt', ({ readSeq }) => readSeq === 4);
    expect(watcher.heard('receipt')).toHaveLength(before + 1);
    await idle.reach(`c/${id}`, await said(ann, id, 'marker'));
    expect(idle.heard('receipt')).toEqual([]);
  });

  it('are not sent in a conversation of more than receiptMembers; the route still says', async () => {
    const [ann, bob, cem, dan] = await world.people('ann', 'bob', 'cem', 'dan');
    const { id } = await world.create(ann, { members: [bob, cem, dan] });
    const seq = await said(ann, id, 'x');
    const watcher = await world.device(ann);
    await watcher.ask('watch', { conversationIds: [id] });
    (await deliver(bob, id, seq)).ok();
    (await mark(bob, id, seq)).ok();
    await watcher.reach(`c/${id}`, await said(bob, id, 'marker'));
    expect(watcher.heard('receipt')).toEqual([]);
    expect(await receipts(ann, id, { seq })).toMatchObject({ readBy: 1, deliveredTo: 1 });
  });
});
