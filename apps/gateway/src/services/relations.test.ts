import { createLogger, userTopic } from '@nudge/server-kit';
import { eventually, ManualClock } from '@nudge/server-kit/testing';
import { expect, it } from 'vitest';
import type { UserOf, UserRelations } from './membership.ts';
import { type Relation, type RelationChange, Relations } from './relations.ts';

const topic = (userId: string) => userTopic('app', userId);

function bench({ idlePerRecheck = 1_000 } = {}) {
  const clock = new ManualClock();
  const blocks = new Map<string, string[]>();
  const hidden = new Set<string>();
  const inUse = new Set<string>();
  const changes: { userId: string; change: RelationChange }[] = [];
  const asked: string[][] = [];
  const state = { broken: false };
  const source = {
    async relations(users: readonly UserOf[]): Promise<UserRelations[]> {
      asked.push(users.map(({ userId }) => userId));
      if (state.broken) throw new Error('down');
      return users.map(({ userId }) => ({ related: blocks.get(userId) ?? [], hidden: hidden.has(userId) }));
    },
  };
  const relations = new Relations({
    source,
    clock,
    log: createLogger({ name: 'test', level: 'silent' }),
    recheckMs: 10_000,
    staleMs: 20_000,
    idlePerRecheck,
    inUse: ({ userId }: Relation) => inUse.has(userId),
    onChange: ({ userId }, change) => changes.push({ userId, change }),
  });
  relations.start();
  const hold = async (userId: string): Promise<Relation> => {
    const relation = relations.hold('app', userId);
    await relation.first;
    return relation;
  };
  return { clock, blocks, hidden, inUse, changes, asked, state, relations, hold };
}

it('reads a user once for all its sessions, and again once all have gone', async () => {
  const { relations, hold, asked, blocks } = bench();
  blocks.set('ann', ['bob']);
  const [one, two] = [await hold('ann'), await hold('ann')];
  expect(one).toBe(two);
  expect(asked).toEqual([['ann']]);
  expect(relations.deafTo(one)).toEqual([topic('bob')]);
  expect(relations.deafHere('app', 'bob')).toEqual([topic('ann')]);
  expect(relations.deafHere('other', 'bob')).toEqual([]);
  relations.release(one);
  expect(relations.deafHere('app', 'bob')).toEqual([topic('ann')]);
  relations.release(two);
  expect([relations.deafHere('app', 'bob'), relations.size]).toEqual([[], 0]);
  await hold('ann');
  expect(asked).toEqual([['ann'], ['ann']]);
  await relations.stop();
});

it('tells of what changed and of nothing else, and lets nobody hear meanwhile', async () => {
  const { relations, hold, blocks, hidden, changes } = bench();
  blocks.set('ann', ['bob']);
  const ann = await hold('ann');
  const cem = await hold('cem');
  blocks.set('ann', ['dan']);
  hidden.add('ann');
  relations.onUser(topic('ann'));
  expect(relations.deafTo(ann)).toBeUndefined();
  expect(relations.deafHere('app', 'ann')).toBeUndefined();
  expect(relations.deafTo(cem)).toEqual([topic('ann')]);
  await ann.loading;
  expect(changes).toEqual([{ userId: 'ann', change: { added: ['dan'], removed: ['bob'], visibility: true } }]);
  expect([relations.deafTo(ann), relations.deafHere('app', 'bob'), relations.deafHere('app', 'dan')]).toEqual([
    [topic('dan')],
    [],
    [topic('ann')],
  ]);
  relations.onUser(topic('ann'));
  await ann.loading;
  expect(changes).toHaveLength(1);
  await relations.stop();
});

it('reads once more for any number of words that come during a read', async () => {
  const { relations, hold, asked } = bench();
  const ann = await hold('ann');
  for (let i = 0; i < 50; i++) relations.onUser(topic('ann'));
  await ann.loading;
  expect(asked).toHaveLength(3);
  expect(ann.isUnsure).toBe(false);
  await relations.stop();
});

it('says nothing once the primary has not answered for too long, and heals by itself', async () => {
  const { relations, hold, state, clock, inUse, blocks } = bench();
  inUse.add('ann');
  const ann = await hold('ann');
  state.broken = true;
  relations.onUser(topic('ann'));
  await ann.loading;
  expect(relations.deafTo(ann)).toBeUndefined();
  await expect(relations.ready(ann)).rejects.toThrow();
  const late = await hold('late');
  expect([late.isLoaded, late.hidden, relations.deafTo(late)]).toEqual([false, true, undefined]);
  for (let i = 0; i < 3; i++) {
    clock.advance(10_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  expect(relations.deafHere('app', 'anybody')).toBeUndefined();
  state.broken = false;
  blocks.set('ann', ['bob']);
  clock.advance(10_000);
  await eventually(() => relations.deafTo(ann) !== undefined);
  expect(relations.deafTo(ann)).toEqual([topic('bob')]);
  expect([late.isLoaded, late.hidden]).toEqual([true, false]);
  await relations.stop();
});

it('compares those in use every time, and the others in turn', async () => {
  const { relations, hold, asked, clock, inUse } = bench({ idlePerRecheck: 2 });
  inUse.add('used');
  for (const user of ['used', 'a', 'b', 'c', 'd', 'e']) await hold(user);
  asked.length = 0;
  for (let i = 1; i <= 4; i++) {
    clock.advance(10_000);
    await eventually(() => asked.length === i);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  for (const users of asked) expect(users).toContain('used');
  for (const users of asked) expect(users.length).toBeLessThanOrEqual(3);
  expect(new Set(asked.flat())).toEqual(new Set(['used', 'a', 'b', 'c', 'd', 'e']));
  await relations.stop();
});

it('reads everything again after an interruption, also one that comes during a comparison', async () => {
  const { relations, hold, asked } = bench({ idlePerRecheck: 0 });
  for (const user of ['a', 'b']) await hold(user);
  asked.length = 0;
  relations.recheckAll();
  relations.recheckAll();
  await eventually(() => asked.length === 2);
  expect(asked).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ]);
  await relations.stop();
});
