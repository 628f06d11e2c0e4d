import { randomUUID } from 'node:crypto';
import {
  applyFeed,
  createConversation,
  feedAfter,
  getUser,
  hideDirect,
  loadDirectory,
  membershipFeed,
  presenceVisibility,
  updateAppSettings,
  updateMe,
  upsertUsers,
} from '@nudge/db';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFixture, type Fixture } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

const stateOf = async (userId: string, subject: string) => {
  const { rows } = await feedAfter(db.pool, 'a', userId, 0, 100);
  const row = rows.find((one) => one.subject === subject);
  return row === undefined ? undefined : (JSON.parse(row.state) as unknown);
};

test('a profile: absent and null leave alone, empty clears', async () => {
  await upsertUsers(db.pool, 'a', [{ id: 'ann', displayName: 'Ann', avatarUrl: 'https://x', metadata: '{"k": 1}' }]);
  expect(await getUser(db.pool, 'a', 'ann')).toMatchObject({ displayName: 'Ann', metadata: '{"k": 1}', presenceVisibility: 'everyone' });
  expect(await getUser(db.pool, 'b', 'ann')).toBeNull();
  expect(await updateMe(db.pool, 'a', 'nobody', {})).toBeNull();
  const kept = await updateMe(db.pool, 'a', 'ann', { displayName: null, metadata: undefined });
  expect(kept).toMatchObject({ user: { displayName: 'Ann', avatarUrl: 'https://x', metadata: '{"k": 1}' }, presenceChanged: false });
  const cleared = await updateMe(db.pool, 'a', 'ann', { displayName: '', avatarUrl: '', metadata: '{}' });
  expect(cleared?.user).toMatchObject({ displayName: null, avatarUrl: null, metadata: null });
  expect((await updateMe(db.pool, 'a', 'ann', { presenceVisibility: 'nobody' }))?.presenceChanged).toBe(true);
  expect((await updateMe(db.pool, 'a', 'ann', { presenceVisibility: 'nobody' }))?.presenceChanged).toBe(false);
  await upsertUsers(db.pool, 'a', [{ id: 'bob' }]);
  expect(await presenceVisibility(db.pool, 'a', ['ann', 'bob', 'nobody'])).toEqual(
    new Map([
      ['ann', 'nobody'],
      ['bob', 'everyone'],
    ]),
  );
});

test('mirrors of hiding and showing may come in any order, beside preferences', async () => {
  const id = randomUUID();
  const base = { id, appId: 'a', type: 'direct', createdBy: 'hal', title: null, metadata: null, history: 'full' } as const;
  const create = () => createConversation(db.pool, { ...base, members: ['ina'], outboxId: randomUUID() });
  const hide = () => hideDirect(db.pool, { route: id, appId: 'a', conversationId: id, userId: 'hal', outboxId: randomUUID() });
  const pair = { appId: 'a', conversationId: id, userId: 'hal' };
  const seen = async () => {
    const [state] = await membershipFeed(db.pool, [pair]);
    return { hiddenSeq: state?.hiddenSeq ?? null, hideVersion: state?.hideVersion };
  };
  await create();
  const states = [];
  for (const change of [hide, create, hide, hide, create]) {
    await change();
    states.push(await seen());
  }
  expect(states).toEqual([
    { hiddenSeq: 1, hideVersion: 1 },
    { hiddenSeq: null, hideVersion: 2 },
    { hiddenSeq: 1, hideVersion: 3 },
    { hiddenSeq: 1, hideVersion: 3 },
    { hiddenSeq: null, hideVersion: 4 },
  ]);
  const mirror = async (userId: string, state: object) =>
    (
      await applyFeed(db.pool, [{ appId: 'a', userId, subject: `pref/${id}`, srcVersion: null, state: JSON.stringify(state), merge: true }])
    )[0];
  for (const [n, order] of [
    [0, 1, 2, 4],
    [4, 2, 1, 0],
    [2, 0, 4, 1],
  ].entries()) {
    const user = `order${n}`;
    await mirror(user, { archived: true });
    for (const index of order) await mirror(user, states[index] ?? {});
    expect(await stateOf(user, `pref/${id}`)).toEqual({ archived: true });
  }
  await mirror('late', states[2] ?? {});
  expect(await mirror('late', states[0] ?? {})).toBeNull();
  expect(await mirror('late', { ...states[1], draft: 'x' })).not.toBeNull();
  expect(await stateOf('late', `pref/${id}`)).toEqual({ hiddenSeq: 1, draft: 'x' });
});

test('settings are merged, what the apps keep for themselves stays', async () => {
  const types = async () => (await loadDirectory(db.pool)).apps.find((app) => app.id === 'a')?.countableTypes;
  expect(await types()).toEqual([]);
  await db.database.query(`update app set settings = '{"$contentSecret": "s", "other": 1}' where id = 'a'`);
  expect(await updateAppSettings(db.pool, 'a', { countableTypes: ['custom.poll'], $contentSecret: 'x' })).toBe(true);
  expect(await types()).toEqual(['custom.poll']);
  const [row] = await db.database.query("select settings from app where id = 'a'");
  expect(row?.settings).toEqual({ $contentSecret: 's', other: 1, countableTypes: ['custom.poll'] });
  expect(await updateAppSettings(db.pool, 'a', { countableTypes: null })).toBe(true);
  expect(await types()).toEqual([]);
  expect(await updateAppSettings(db.pool, 'nobody', {})).toBe(false);
});
