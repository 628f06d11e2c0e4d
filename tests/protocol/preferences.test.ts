import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, useWorld } from './support/world.ts';

const world = useWorld();
const { mark, remove } = actsOn(() => world.http);

const prefer = (by: Person, id: string, body: object) =>
  world.http.call('updatePreferences', { token: by.token, params: { conversationId: id }, body });
const feed = async (who: Person, after = 0) => {
  const answer = (await world.sync(who, { feed: { after } })).feed;
  if (answer === undefined) throw new Error('no feed');
  return answer;
};
const stateOf = async (who: Person, subject: string) => (await feed(who)).items.find((item) => item.subject === subject)?.state;
/** What is on: absent, null and false are the same. */
const on = (state: object | undefined) =>
  Object.fromEntries(Object.entries(state ?? {}).filter(([, value]) => value !== null && value !== false));

describe('preferences', () => {
  it('are the user`s own, absolute in the feed of every device, and leave no entry', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const phone = await world.device(bob, { deviceId: 'phone' });
    const laptop = await world.device(bob, { deviceId: 'laptop' });
    const others = await feed(ann);
    const { version } = await feed(bob);
    const mutedUntil = '2099-01-01T02:00:00+02:00';
    const draft = { text: 'not yet', at: 4 };
    const { preferences } = (await prefer(bob, id, { mutedUntil, pinned: true, draft })).ok();
    expect(on(preferences)).toEqual({ mutedUntil: '2099-01-01T00:00:00.000Z', pinned: true, draft });
    const delta = await feed(bob, version);
    expect(delta.items.map(({ subject }) => subject)).toEqual([`pref/${id}`]);
    expect(on(delta.items[0]?.state)).toEqual(on(preferences));
    for (const device of [phone, laptop]) await device.reach(`u/${bob.id}`, delta.version);
    expect(await feed(ann)).toEqual(others);
    expect((await world.entries(ann, id)).head).toBe(1);

    // What is absent or null stays; each change is one row with the whole state.
    (await prefer(bob, id, { archived: true, mutedUntil: null })).ok();
    expect(on(await stateOf(bob, `pref/${id}`))).toEqual({ mutedUntil: '2099-01-01T00:00:00.000Z', pinned: true, draft, archived: true });
    const cleared = (await prefer(bob, id, { archived: false, pinned: false, draft: {}, mutedUntil: '2020-01-01T00:00:00Z' })).ok();
    expect(on(cleared.preferences)).toEqual({});
    expect(on(await stateOf(bob, `pref/${id}`))).toEqual({});
  });

  it('name no time that has no name', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const { preferences } = (await prefer(ann, id, { mutedUntil: '9999-12-31T23:59:59-23:59' })).ok();
    expect(preferences.mutedUntil).toBe('9999-12-31T23:59:59.999Z');
    expect((await prefer(ann, id, { mutedUntil: '0000-01-01T00:00:00+23:59' })).ok().preferences.mutedUntil ?? null).toBeNull();
  });

  it('of a direct conversation keep that it is hidden', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { type: 'direct', members: [bob] });
    (await prefer(bob, id, { pinned: true })).ok();
    (await remove(bob, id, 'me')).ok();
    expect(on(await stateOf(bob, `pref/${id}`))).toEqual({ pinned: true, hiddenSeq: 1 });
    (await prefer(bob, id, { archived: true })).ok();
    expect(on(await stateOf(bob, `pref/${id}`))).toEqual({ pinned: true, archived: true, hiddenSeq: 1 });
    expect((await world.head(bob, id))?.member.hidden).toBe(true);
  });

  it('that are no change move no version', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    (await prefer(ann, id, { pinned: true, draft: { a: 1, b: 2 } })).ok();
    const { version } = await feed(ann);
    for (const body of [{}, { pinned: true }, { draft: { b: 2, a: 1 } }, { archived: false }, { mutedUntil: null }]) {
      (await prefer(ann, id, body)).ok();
    }
    expect((await feed(ann)).version).toBe(version);
  });

  it.each([
    ['a time that is none', { mutedUntil: 'tomorrow' }],
    ['a time without a zone', { mutedUntil: '2099-01-01T00:00:00' }],
    ['a flag as text', { archived: 'yes' }],
    ['a draft that is text', { draft: 'hello' }],
    ['what only the server sets', { hiddenSeq: 1 }],
  ])('refuse %s', async (_, body) => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await prefer(ann, id, body)).refused('invalid_request');
    });
  });

  it('refuse a draft over its bound, and strangers', async () => {
    const [ann, eve] = await world.people('ann', 'eve');
    const { id } = await world.create(ann);
    await leavesAllAsItWas(world.system.database, id, async () => {
      expect((await prefer(ann, id, { draft: { text: 'x'.repeat(4_096) } })).refused('too_large').detail).toContain('draftBytes');
      (await prefer(eve, id, { pinned: true })).refused('not_found');
    });
    expect((await feed(eve)).items).toEqual([]);
  });
});

describe('reading elsewhere', () => {
  it('clears the badge on every device: through the feed, and by one key', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const last = await world.sendMany(ann, id, 3);
    const laptop = await world.device(bob, { deviceId: 'laptop' });
    const { version } = await feed(bob);
    (await mark(bob, id, last)).ok();
    const delta = await feed(bob, version);
    expect(delta.items).toMatchObject([{ subject: `read/${id}`, state: { readSeq: last } }]);
    await laptop.reach(`u/${bob.id}`, delta.version);
  });
});

describe('notices', () => {
  const notice = (who: Person | string, body: object, token = world.system.app.serverKey) =>
    world.http.call('createNotice', { token, params: { userId: typeof who === 'string' ? who : who.id }, body });
  const dismiss = (who: Person, noticeId: string) => world.http.call('dismissNotice', { token: who.token, params: { noticeId } });

  it('come into the feed of every device, are replaced under the same id and dismissed for all', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const phone = await world.device(ann, { deviceId: 'phone' });
    const laptop = await world.device(ann, { deviceId: 'laptop' });
    const { noticeId } = (await notice(ann, { body: { text: 'welcome', level: 1 } })).ok(201);
    expect(await stateOf(ann, `notice/${noticeId}`)).toEqual({ body: { text: 'welcome', level: 1 } });
    const created = (await feed(ann)).version;
    for (const device of [phone, laptop]) await device.reach(`u/${ann.id}`, created);
    expect((await notice(ann, { id: noticeId, body: { text: 'hello' } })).ok(201)).toEqual({ noticeId });
    expect(await stateOf(ann, `notice/${noticeId}`)).toEqual({ body: { text: 'hello' } });
    expect((await feed(bob)).items).toEqual([]);
    (await dismiss(bob, noticeId)).refused('not_found');
    expect((await dismiss(ann, noticeId)).ok()).toEqual({ changed: true });
    expect(await stateOf(ann, `notice/${noticeId}`)).toEqual({ body: null });
    const gone = (await feed(ann)).version;
    for (const device of [phone, laptop]) await device.reach(`u/${ann.id}`, gone);
    expect((await dismiss(ann, noticeId)).ok()).toEqual({ changed: false });
    expect((await feed(ann)).version).toBe(gone);
  });

  it('are the integrator`s alone, to users that exist', async () => {
    const [ann] = await world.people('ann');
    (await notice('nobody-here', { body: {} })).refused('not_found');
    (await notice(ann, { body: {} }, ann.token)).refused('token_invalid');
    (await notice(ann, { body: {} }, world.system.otherApp.serverKey)).refused('not_found');
    (await notice(ann, { body: 'text' })).refused('invalid_request');
    (await notice(ann, { id: 'x', body: {} })).refused('invalid_request');
    (await dismiss(ann, randomUUID())).refused('not_found');
    (await dismiss(ann, 'x')).refused('invalid_request');
    expect((await feed(ann)).items).toEqual([]);
  });
});
