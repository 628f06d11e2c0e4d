import { describe, expect, it } from 'vitest';
import { type Person, range, useWorld } from './support/world.ts';

const world = useWorld();

const mark = async (by: Person, conversationId: string, seq: number) =>
  (await world.http.call('markRead', { token: by.token, params: { conversationId }, body: { seq } })).ok();
const state = async (who: Person, id: string) => {
  const head = await world.head(who, id);
  return { readSeq: head?.readSeq, unread: head?.unread };
};
const total = async (who: Person) => (await world.http.call('getUnread', { token: who.token })).ok().total;

describe('a read position', () => {
  it('moves forward, never back, and is clamped to the head', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await world.sendMany(ann, id, 5);
    expect(await mark(bob, id, 3)).toEqual({ readSeq: 3, unread: 3 });
    expect(await mark(bob, id, 2)).toEqual({ readSeq: 3, unread: 3 });
    expect(await mark(bob, id, 3)).toEqual({ readSeq: 3, unread: 3 });
    expect(await mark(bob, id, 0)).toEqual({ readSeq: 3, unread: 3 });
    expect(await mark(bob, id, Number.MAX_SAFE_INTEGER)).toEqual({ readSeq: 6, unread: 0 });
    await world.send(ann, id);
    expect(await state(bob, id)).toEqual({ readSeq: 6, unread: 1 });
  });

  it('is the user`s: it is the same on every device and nobody else`s', async () => {
    const [ann, bob, cho] = await world.people('ann', 'bob', 'cho');
    const { id } = await world.create(ann, { members: [bob, cho] });
    await world.sendMany(ann, id, 3);
    await mark(bob, id, 4);
    expect(await state(bob, id)).toEqual({ readSeq: 4, unread: 0 });
    expect(await state(cho, id)).toEqual({ readSeq: 1, unread: 3 });
  });

  it('ends highest when many move it at once', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await world.sendMany(ann, id, 20);
    await Promise.all(range(1, 20).map((seq) => mark(bob, id, seq)));
    expect(await state(bob, id)).toEqual({ readSeq: 20, unread: 1 });
  });
});

describe('unread', () => {
  it('counts messages after the read position that are not one`s own, and nothing else', async () => {
    const [ann, bob, cho] = await world.people('ann', 'bob', 'cho');
    const { id } = await world.create(ann, { members: [bob] });
    await world.send(ann, id);
    (await world.http.call('putMember', { token: ann.token, params: { conversationId: id, userId: cho.id } })).ok();
    await world.send(bob, id);
    await world.send(ann, id);
    // 1 created, 2 ann, 3 joined, 4 bob, 5 ann
    expect(await state(bob, id)).toEqual({ readSeq: 1, unread: 2 });
    expect(await mark(bob, id, 2)).toEqual({ readSeq: 2, unread: 1 });
    expect(await mark(bob, id, 4)).toEqual({ readSeq: 4, unread: 1 });
    expect(await mark(bob, id, 5)).toEqual({ readSeq: 5, unread: 0 });
  });

  it('is summed over all conversations', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const one = await world.create(ann, { members: [bob] });
    const two = await world.create(ann, { type: 'direct', members: [bob] });
    await world.sendMany(ann, one.id, 2);
    await world.sendMany(ann, two.id, 3);
    expect(await total(bob)).toBe(5);
    await mark(bob, one.id, 3);
    expect(await total(bob)).toBe(3);
    expect(await total(ann)).toBe(0);
    (await world.http.call('removeMember', { token: bob.token, params: { conversationId: one.id, userId: 'me' } })).ok();
    await mark(bob, two.id, 4);
    expect(await total(bob)).toBe(0);
  });
});

describe('one`s own sends', () => {
  it('move the own position when the sender stood at the head', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await world.sendMany(ann, id, 3);
    expect(await state(ann, id)).toEqual({ readSeq: 4, unread: 0 });
    expect(await state(bob, id)).toEqual({ readSeq: 1, unread: 3 });
    await mark(bob, id, 4);
    await world.send(bob, id);
    expect(await state(bob, id)).toEqual({ readSeq: 5, unread: 0 });
    expect(await state(ann, id)).toEqual({ readSeq: 4, unread: 1 });
  });

  it('leave it where it is otherwise, and count as own', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await world.sendMany(ann, id, 2);
    await world.send(bob, id);
    expect(await state(bob, id)).toEqual({ readSeq: 1, unread: 2 });
    await world.send(ann, id);
    expect(await state(bob, id)).toEqual({ readSeq: 1, unread: 3 });
    expect(await mark(bob, id, 3)).toEqual({ readSeq: 3, unread: 1 });
    expect(await mark(bob, id, 5)).toEqual({ readSeq: 5, unread: 0 });
  });

  it('are counted the same by a naive recount of what came, in any interleaving', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await Promise.all(range(1, 30).map((n) => world.send(n % 3 === 0 ? bob : ann, id)));
    for (const who of [ann, bob]) {
      const { readSeq, unread } = await state(who, id);
      const { entries } = await world.entries(who, id, { after: readSeq ?? 0, limit: 200 });
      expect(unread).toBe(entries.filter(({ type, senderId }) => type === 'message' && senderId !== who.id).length);
    }
  });
});

describe('joining', () => {
  it('starts at zero, and so does rejoining', async () => {
    for (const history of ['full', 'since_join'] as const) {
      const [ann, bob] = await world.people('ann', 'bob');
      const { id } = await world.create(ann, { history });
      await world.sendMany(ann, id, 3);
      const join = { token: ann.token, params: { conversationId: id, userId: bob.id } };
      (await world.http.call('putMember', join)).ok();
      expect((await state(bob, id)).unread).toBe(0);
      await world.send(ann, id);
      expect((await state(bob, id)).unread).toBe(1);
      (await world.http.call('removeMember', join)).ok();
      await world.sendMany(ann, id, 2);
      (await world.http.call('putMember', join)).ok();
      expect((await state(bob, id)).unread).toBe(0);
      expect(await total(bob)).toBe(0);
      const seq = await world.send(ann, id);
      expect(await state(bob, id)).toEqual({ readSeq: seq - 1, unread: 1 });
    }
  });
});
