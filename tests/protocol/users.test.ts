import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { type Person, range, useWorld } from './support/world.ts';

const world = useWorld({ compose: { gateway: { presenceGraceMs: 300 } } });

const me = async (who: Person) => (await world.http.call('getMe', { token: who.token })).ok().me;
const update = (who: Person, body: object) => world.http.call('updateMe', { token: who.token, body });
const users = (who: Person, ids: string) => world.http.call('getUsers', { token: who.token, query: { ids } });
const presence = (who: Person, ids: string) => world.http.call('getPresence', { token: who.token, query: { users: ids } });

describe('one`s own user', () => {
  it('starts empty and is changed field by field', async () => {
    const [ann] = await world.people('ann');
    const before = await me(ann);
    expect(before).toEqual({
      id: ann.id,
      displayName: null,
      avatarUrl: null,
      metadata: null,
      presenceVisibility: 'everyone',
      createdAt: expect.any(String),
    });
    const avatarUrl = 'https://example.org/ann.png';
    const changed = (await update(ann, { displayName: 'Ann', avatarUrl, metadata: { team: 7 }, presenceVisibility: 'nobody' })).ok().me;
    expect(changed).toEqual({ ...before, displayName: 'Ann', avatarUrl, metadata: { team: 7 }, presenceVisibility: 'nobody' });
    expect(await me(ann)).toEqual(changed);
    // Absent and null stay.
    for (const body of [{}, { displayName: null, avatarUrl: null, metadata: null, presenceVisibility: null }]) {
      expect((await update(ann, body)).ok().me).toEqual(changed);
    }
    expect((await update(ann, { displayName: '', avatarUrl: '', metadata: {}, presenceVisibility: 'everyone' })).ok().me).toEqual(before);
  });

  it.each([
    ['a name of 129 characters', { displayName: 'x'.repeat(129) }],
    ['an avatar that is no web address', { avatarUrl: 'javascript:alert(1)' }],
    ['metadata that is text', { metadata: 'x' }],
    ['a visibility nobody knows', { presenceVisibility: 'friends' }],
    ['another id', { id: 'other' }],
    ['a time the server owns', { createdAt: '2020-01-01T00:00:00.000Z' }],
  ])('refuses %s', async (_, body) => {
    const [ann] = await world.people('ann');
    (await update(ann, body)).refused('invalid_request');
    expect((await update(ann, { metadata: { text: 'x'.repeat(4_096) } })).refused('too_large').detail).toContain('metadataBytes');
    expect(await me(ann)).toMatchObject({ displayName: null, metadata: null });
  });
});

describe('GET /v1/users', () => {
  it('shows the profiles of up to a hundred users of the app; unknown ones are left out', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    (await update(bob, { displayName: 'Bob', metadata: { a: 1 }, presenceVisibility: 'nobody' })).ok();
    await world.peopleOf(world.system.otherApp, ['only-there']);
    const answer = (await users(ann, `${bob.id},nobody-here,only-there,${ann.id}`)).ok();
    expect(answer.users.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
      { id: ann.id, displayName: null, avatarUrl: null, metadata: null },
      { id: bob.id, displayName: 'Bob', avatarUrl: null, metadata: { a: 1 } },
    ]);
    expect((await users(ann, `${bob.id},${bob.id}`)).ok().users).toHaveLength(1);
    const names = (count: number) =>
      range(1, count)
        .map((n) => `u${n}`)
        .join(',');
    (await users(ann, names(100))).ok();
    (await users(ann, names(101))).refused('invalid_request');
    for (const ids of ['', ',', 'a,,b', 'a b', '$system', 'me']) (await users(ann, ids)).refused('invalid_request');
    (await world.http.call('getUsers', { token: ann.token })).refused('invalid_request');
  });
});

describe('GET /v1/presence', () => {
  it('says who is online, away or offline, and since when', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const one = async (who: Person) => (await presence(ann, who.id)).ok().presence[0];
    expect(await one(bob)).toMatchObject({ userId: bob.id, status: 'offline' });
    const device = await world.device(bob);
    await waitFor('Bob online', async () => (await one(bob))?.status === 'online');
    await device.ask('presence.set', { status: 'away' });
    await waitFor('Bob away', async () => (await one(bob))?.status === 'away');
    const before = Date.now() - 5_000;
    device.socket.disconnect();
    const seen = await waitFor('Bob offline', async () => {
      const state = await one(bob);
      return state?.status === 'offline' && state;
    });
    if (seen.lastSeenAt) expect(Date.parse(seen.lastSeenAt)).toBeGreaterThan(before);
    const both = (await presence(ann, `${bob.id},${cem.id},nobody-here`)).ok().presence;
    expect(both.map(({ userId, status }) => [userId, status]).slice(0, 2)).toEqual([
      [bob.id, 'offline'],
      [cem.id, 'offline'],
    ]);
    for (const ids of [
      '',
      ',',
      'a,,b',
      '$system',
      range(1, 101)
        .map((n) => `u${n}`)
        .join(','),
    ])
      (await presence(ann, ids)).refused('invalid_request');
  });

  it('shows nothing of one who shows it to nobody, on any path, until that changes', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const watcher = await world.device(ann);
    const device = await world.device(bob);
    await waitFor('Bob online', async () => (await presence(ann, bob.id)).ok().presence[0]?.status === 'online');
    expect((await watcher.ask('presence.watch', { userIds: [bob.id] })).presence).toMatchObject([{ status: 'online' }]);
    (await update(bob, { presenceVisibility: 'nobody' })).ok();
    const hidden = { userId: bob.id, status: 'offline' };
    await waitFor('Bob hidden', async () => (await presence(ann, bob.id)).ok().presence[0]?.status === 'offline');
    expect((await presence(ann, bob.id)).ok().presence[0]).toEqual(hidden);
    await waitFor(
      'the watch to follow',
      async () => (await watcher.ask('presence.watch', { userIds: [bob.id] })).presence[0]?.status === 'offline',
    );
    const heard = watcher.heard('presence').length;
    await device.ask('presence.set', { status: 'away' });
    await device.ask('presence.set', { status: 'online' });
    const { id } = await world.create(ann);
    await watcher.reach(`c/${id}`, await world.send(ann, id));
    expect(
      watcher
        .heard('presence')
        .slice(heard)
        .filter(({ status }) => status !== 'offline'),
    ).toEqual([]);
    (await update(bob, { presenceVisibility: 'everyone' })).ok();
    await waitFor('Bob shown again', async () => (await presence(ann, bob.id)).ok().presence[0]?.status === 'online');
  });

  it('knows the users of one`s own app alone', async () => {
    const [ann] = await world.people('ann');
    await world.peopleOf(world.system.otherApp, ['online-elsewhere']);
    await world.device({ id: 'online-elsewhere', token: world.system.otherApp.token('online-elsewhere') });
    const [state] = (await presence(ann, 'online-elsewhere')).ok().presence;
    expect(state?.status ?? 'offline').toBe('offline');
    expect(state?.lastSeenAt ?? null).toBeNull();
  });
});
