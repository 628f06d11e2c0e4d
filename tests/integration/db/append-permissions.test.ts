import type { AppendResult } from '@nudge/db';
import { type Action, type ConversationType, outranks, permissions, type Role, roleAllows } from '@nudge/types';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { actor } from './support/acts.ts';
import { change, converse, createFixture, type Fixture, message, sendOne } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

const FUTURE = '2100-01-01T00:00:00.000Z';

interface Scene {
  readonly id: string;
  readonly me: ReturnType<typeof actor>;
  readonly own: number;
  readonly others: number;
}
type Attempt = (scene: Scene) => Promise<AppendResult>;

/** How each action reaches the append; the others of the table never do. The other is `bob`, the actor `me`. */
const attempts: Partial<Record<Action, Attempt>> = {
  send: ({ id }) => sendOne(db.pool, message(id, 'me')),
  editOwn: ({ me, own }) => me.edit(own, 'new'),
  editOthers: ({ me, others }) => me.edit(others, 'new'),
  redactOwn: ({ me, own }) => me.redact(own),
  redactOthers: ({ me, others }) => me.redact(others),
  react: ({ me, others }) => me.react(others, '👍'),
  pin: ({ me, others }) => me.pin(others),
  updateProfile: ({ me }) => me.update({ title: 'T', avatarUrl: 'https://x/y' }),
  updateMetadata: ({ me }) => me.update({ metadata: { a: 1 } }),
  freeze: ({ me }) => me.update({ frozen: true }),
  setSlowMode: ({ me }) => me.update({ slowModeSeconds: 5 }),
  setRetention: ({ me }) => me.update({ retentionSeconds: 60 }),
  addMember: ({ me }) => me.member('put', 'eve'),
  setRole: ({ me }) => me.member('put', 'bob', { role: 'moderator' }),
  transferOwnership: ({ me }) => me.member('transfer', 'bob'),
  removeMember: ({ me }) => me.member('remove', 'bob'),
  muteMember: ({ me }) => me.member('mute', 'bob', { until: FUTURE }),
  banMember: ({ me }) => me.member('ban', 'bob', { until: FUTURE }),
};

/** Here a direct conversation's members may hide it, which is not the append's. */
const leave: Attempt = ({ me }) => me.member('remove', 'me');

async function scene(type: ConversationType, role: Role, other: Role = 'member'): Promise<Scene> {
  const id = await converse(db.pool, type === 'direct' ? ['me', 'bob'] : ['root', 'me', 'bob'], { type });
  if (type !== 'direct') {
    if (role !== 'member') await sendOne(db.pool, change(id, 'root', 'member.put', { userId: 'me', role }));
    if (other !== 'member') await sendOne(db.pool, change(id, 'root', 'member.put', { userId: 'bob', role: other }));
  }
  const say = async (who: string) => (await sendOne(db.pool, message(id, who, { mode: 'on_behalf' }))).seq ?? 0;
  return { id, me: actor(db.pool, id, 'me'), own: await say('me'), others: await say('bob') };
}

const types = ['direct', 'group', 'channel'] as const;
const roles = ['member', 'moderator', 'owner'] as const;

describe.each(types)('%s', (type) => {
  describe.each(type === 'direct' ? (['member'] as const) : roles)('%s', (role) => {
    test.each(Object.keys(attempts) as Action[])('%s', async (action) => {
      const { status } = (await attempts[action]?.(await scene(type, role))) ?? {};
      expect(status).toBe(roleAllows(action, type, role) ? 'ok' : 'forbidden');
    });
    test('leave', async () => {
      expect(await leave(await scene(type, role))).toMatchObject({ status: type === 'direct' ? 'forbidden' : 'ok' });
    });
    test.each(roles)('may remove, mute and ban a %s when standing above', async (other) => {
      if (type === 'direct') return;
      for (const action of ['removeMember', 'muteMember', 'banMember'] as const) {
        const { status } = (await attempts[action]?.(await scene(type, role, other))) ?? {};
        expect(status, action).toBe(roleAllows(action, type, role) && outranks(role, other) ? 'ok' : 'forbidden');
      }
    });
  });
});

test('every action of the table is tried, or is not the append’s to judge', () => {
  const elsewhere: readonly Action[] = ['leave', 'read', 'type'];
  expect([...Object.keys(attempts), ...elsewhere].toSorted()).toEqual(Object.keys(permissions).toSorted());
});
