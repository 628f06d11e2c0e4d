import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { actsOn } from './support/acts.ts';
import { entryOf } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, edit, react, redact, remove, put, mute, unmute, ban, unban, transfer } = actsOn(() => world.http);

const members = async (viewer: Person, id: string) =>
  (await world.http.call('listMembers', { token: viewer.token, params: { conversationId: id } })).ok().items;
const bans = async (viewer: Person, id: string, query: Record<string, string | number> = {}) =>
  (await world.http.call('listBans', { token: viewer.token, params: { conversationId: id }, query })).ok();
const system = (seq: number, type: string, body: object) => ({ seq, type, senderId: '$system', createdAt: expect.any(String), body });
const feedOf = async (who: Person, subject: string) =>
  (await world.sync(who, { feed: { after: 0 } })).feed?.items.find((item) => item.subject === subject)?.state;

/** Moves the end of an hour's mute or ban to a second from now; answers it, ms since 1970. */
async function endsSoon(column: 'muted_until' | 'banned_until', id: string, who: Person, until: unknown): Promise<number> {
  const [row] = await world.system.database.query<{ ends: Date }>(
    `update member set ${column} = clock_timestamp() + interval '1 second' where (conversation_id, user_id, ${column}) = ($1, $2, $3)
      returning ${column} as ends`,
    [id, who.id, until],
  );
  if (row === undefined) throw new Error(`no ${column} ${until}`);
  return row.ends.getTime();
}

describe('a mute', () => {
  it('refuses what the muted writes until it is lifted', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    const seq = await said(bob, id, 'x', { clientMsgId: 'm' });
    expect((await mute(ann, id, bob)).ok()).toEqual({ seq: 3, changed: true });
    const muted = await entryOf(world, cem, id, 3);
    expect(muted).toEqual(system(3, 'member.updated', { userId: bob.id, by: ann.id, mutedUntil: expect.any(String) }));
    const until = (await members(cem, id)).find(({ userId }) => userId === bob.id)?.mutedUntil;
    expect(until).toBe(muted?.body?.mutedUntil);
    expect(await feedOf(bob, `member/${id}`)).toMatchObject({ role: 'member', state: 'joined', mutedUntil: until });
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await send(bob, id, 'y')).refused('muted');
      (await edit(bob, id, seq, 'y')).refused('muted');
      (await react(bob, id, seq, '👍')).refused('muted');
      expect((await send(bob, id, 'x', { clientMsgId: 'm' })).ok(200).seq).toBe(seq);
      expect((await mute(ann, id, bob)).ok()).toEqual({ seq: null, changed: false });
    });
    await said(cem, id, 'others may');
    (await redact(bob, id, seq)).ok();
    expect((await unmute(ann, id, bob)).ok().changed).toBe(true);
    expect((await entryOf(world, cem, id, 6))?.body).toEqual({ userId: bob.id, by: ann.id, mutedUntil: null });
    expect((await members(cem, id)).find(({ userId }) => userId === bob.id)).not.toHaveProperty('mutedUntil');
    expect((await unmute(ann, id, bob)).ok()).toEqual({ seq: null, changed: false });
    await said(bob, id, 'again');
  });

  it('with an end is over then, by itself', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const { seq } = (await mute(ann, id, bob, 3_600)).ok();
    const entry = await entryOf(world, bob, id, seq ?? 0);
    expect(Math.abs(Date.parse(String(entry?.body?.mutedUntil)) - Date.parse(entry?.createdAt ?? '') - 3_600_000)).toBeLessThan(1_000);
    (await send(bob, id, 'y')).refused('muted');
    const ends = await endsSoon('muted_until', id, bob, entry?.body?.mutedUntil);
    const sent = await waitFor('the end of the mute', async () => {
      const reply = await send(bob, id, 'y', { clientMsgId: 'late' });
      if (reply.status === 201) return reply.ok(201);
      reply.refused('muted');
      return undefined;
    });
    expect(Date.parse(sent.createdAt)).toBeGreaterThanOrEqual(ends);
    expect((await members(ann, id)).find(({ userId }) => userId === bob.id)).not.toHaveProperty('mutedUntil');
    expect(sent.seq, 'its end is no entry').toBe((seq ?? 0) + 1);
  });

  it('concerns members alone, of a lower role, and lasts at most ten years', async () => {
    const [ann, bob, cem, eve] = await world.people('ann', 'bob', 'cem', 'eve');
    const { id } = await world.create(ann, { members: [bob, cem] });
    (await put(ann, id, bob, 'moderator')).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await mute(bob, id, ann)).refused('forbidden');
      (await mute(bob, id, bob)).refused('forbidden');
      (await mute(cem, id, bob)).refused('forbidden');
      (await mute(eve, id, cem)).refused('not_found');
      for (const stranger of [eve, { id: 'nobody-here', token: '' }]) {
        const reply = await mute(ann, id, stranger);
        expect([reply.status, ...(reply.status === 200 ? ['changed'] : [])]).not.toContain('changed');
      }
      for (const seconds of [0, -1, 1.5, 10 * 366 * 24 * 3_600 + 1]) (await mute(ann, id, cem, seconds)).refused('invalid_request');
    });
    (await mute(bob, id, cem)).ok();
  });

  it('stays through changes of role, until it is lifted', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    (await mute(ann, id, bob)).ok();
    (await put(ann, id, bob, 'moderator')).ok();
    (await send(bob, id, 'x')).refused('muted');
    (await put(ann, id, bob, 'member')).ok();
    (await send(bob, id, 'x')).refused('muted');
    (await unmute(ann, id, bob)).ok();
    await said(bob, id, 'x');
  });
});

describe('a ban', () => {
  it('removes a member, who then sees nothing and cannot be added until it is lifted', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    const seq = await said(bob, id, 'x', { clientMsgId: 'm' });
    await world.entries(bob, id);
    expect((await ban(ann, id, bob)).ok()).toEqual({ seq: 3, changed: true });
    expect(await entryOf(world, cem, id, 3)).toEqual(system(3, 'member.left', { userId: bob.id, by: ann.id, reason: 'banned' }));
    expect((await members(cem, id)).map(({ userId }) => userId).toSorted()).toEqual([ann.id, cem.id].toSorted());
    expect(await bans(ann, id)).toEqual({ items: [{ userId: bob.id }] });
    expect(await feedOf(bob, `member/${id}`)).toMatchObject({ state: 'left', leftSeq: 3 });
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await world.http.call('getConversation', { token: bob.token, params: { conversationId: id } })).refused('not_found');
      (await world.http.call('listEntries', { token: bob.token, params: { conversationId: id } })).refused('not_found');
      (await send(bob, id, 'y')).refused('not_found');
      (await edit(bob, id, seq, 'y')).refused('not_found');
      (await put(ann, id, bob)).refused('forbidden');
      (await put(cem, id, bob)).refused('forbidden');
      const admin = await world.http.call('adminPutMember', {
        token: world.system.app.serverKey,
        params: { conversationId: id, userId: bob.id },
      });
      expect(admin.status).not.toBe(200);
      expect((await ban(ann, id, bob)).ok()).toEqual({ seq: null, changed: false });
    });
    expect((await unban(ann, id, bob)).ok()).toEqual({ seq: 4, changed: true });
    expect(await entryOf(world, cem, id, 4)).toEqual(system(4, 'member.updated', { userId: bob.id, by: ann.id, banned: false }));
    expect(await bans(ann, id)).toEqual({ items: [] });
    // Lifting the ban adds nobody.
    (await send(bob, id, 'y')).refused('not_found');
    expect((await unban(ann, id, bob)).ok()).toEqual({ seq: null, changed: false });
    (await put(ann, id, bob)).ok();
    expect(await world.head(bob, id)).toMatchObject({ unread: 0 });
    await said(bob, id, 'back');
  });

  it('with an end is over then, and its list forgets it', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const { seq } = (await ban(ann, id, bob, 3_600)).ok();
    const entry = await entryOf(world, ann, id, seq ?? 0);
    expect(entry?.body).toEqual({ userId: bob.id, by: ann.id, reason: 'banned', bannedUntil: expect.any(String) });
    expect(Math.abs(Date.parse(String(entry?.body?.bannedUntil)) - Date.parse(entry?.createdAt ?? '') - 3_600_000)).toBeLessThan(1_000);
    expect((await bans(ann, id)).items).toEqual([{ userId: bob.id, until: entry?.body?.bannedUntil }]);
    (await put(ann, id, bob)).refused('forbidden');
    await endsSoon('banned_until', id, bob, entry?.body?.bannedUntil);
    await waitFor('the end of the ban', async () => {
      const reply = await put(ann, id, bob);
      if (reply.status === 200) return reply.ok().changed;
      reply.refused('forbidden');
      return false;
    });
    expect((await bans(ann, id)).items).toEqual([]);
    await said(bob, id, 'back');
  });

  it('reaches someone who is no member, keeps out who never was, and takes no rank over one`s own', async () => {
    const [ann, bob, cem, eve] = await world.people('ann', 'bob', 'cem', 'eve');
    const { id } = await world.create(ann, { members: [bob, cem] });
    (await put(ann, id, bob, 'moderator')).ok();
    expect((await ban(bob, id, eve)).ok().changed).toBe(true);
    expect(await entryOf(world, cem, id, 3)).toEqual(system(3, 'member.updated', { userId: eve.id, by: bob.id, banned: true }));
    (await put(ann, id, eve)).refused('forbidden');
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await ban(bob, id, ann)).refused('forbidden');
      (await ban(cem, id, eve)).refused('forbidden');
      (await unban(cem, id, eve)).refused('forbidden');
      (await ban(ann, id, { id: 'nobody-here', token: '' })).refused('user_unknown');
      (await world.http.call('listBans', { token: cem.token, params: { conversationId: id } })).refused('forbidden');
      (await world.http.call('listBans', { token: eve.token, params: { conversationId: id } })).refused('not_found');
    });
    expect(
      (await world.http.call('getConversation', { token: ann.token, params: { conversationId: id } })).ok().conversation,
    ).toMatchObject({
      memberCount: 3,
    });
  });

  it('tells nothing to who is no member: neither one that never was nor one that has left', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { members: [bob] });
    (await remove(bob, id, 'me')).ok();
    const joinedState = expect.objectContaining({ state: 'joined' });
    const leftState = expect.objectContaining({ state: 'left' });
    const feedOf = async (who: typeof bob) => (await world.sync(who, { feed: { after: 0 }, heads: {} })).feed;
    const before = await feedOf(bob);
    expect(before?.items).toMatchObject([{ subject: `member/${id}`, state: { state: 'left' } }]);
    const device = await world.device(eve);
    for (const who of [bob, eve]) {
      (await ban(ann, id, who, 3_600)).ok();
      (await ban(ann, id, who)).ok();
      (await unban(ann, id, who)).ok();
    }
    expect(await feedOf(bob)).toEqual(before);
    expect(await feedOf(eve)).toEqual({ version: 0, more: false, items: [] });
    const other = await world.create(eve);
    await device.reach(`c/${other.id}`, other.lastSeq);
    expect(device.heard('notify').flatMap(({ keys }) => keys.map(([log]) => log))).not.toContain(`c/${id}`);
    // Only with joining does it begin to exist, or begin anew.
    for (const who of [bob, eve]) {
      (await put(ann, id, who)).ok();
      expect((await feedOf(who))?.items).toContainEqual(expect.objectContaining({ subject: `member/${id}`, state: joinedState }));
      (await ban(ann, id, who)).ok();
      expect((await feedOf(who))?.items).toContainEqual(expect.objectContaining({ subject: `member/${id}`, state: leftState }));
    }
  });

  it('is listed in pages, by user id', async () => {
    const [ann] = await world.people('ann');
    const banned = await world.peopleOf(
      world.system.app,
      ['a', 'b', 'c', 'd', 'e'].map((name) => `banned-${name}`),
    );
    const { id } = await world.create(ann, { members: banned });
    for (const who of banned) (await ban(ann, id, who)).ok();
    const first = await bans(ann, id, { limit: 2 });
    expect(first).toEqual({ items: [{ userId: 'banned-a' }, { userId: 'banned-b' }], nextCursor: 'banned-b' });
    const second = await bans(ann, id, { limit: 200, cursor: first.nextCursor ?? '' });
    expect(second.items.map(({ userId }) => userId)).toEqual(['banned-c', 'banned-d', 'banned-e']);
    expect(second.nextCursor ?? null).toBeNull();
  });
});

describe('ownership', () => {
  it('goes over in one entry: the other is owner, the former one moderator', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    expect((await transfer(ann, id, bob)).ok()).toEqual({ seq: 2, changed: true });
    expect(await entryOf(world, cem, id, 2)).toMatchObject({
      type: 'member.updated',
      senderId: '$system',
      body: { userId: bob.id, by: ann.id, transfer: true },
    });
    const roles = Object.fromEntries((await members(cem, id)).map(({ userId, role }) => [userId, role]));
    expect(roles).toEqual({ [ann.id]: 'moderator', [bob.id]: 'owner', [cem.id]: 'member' });
    expect(await feedOf(ann, `member/${id}`)).toMatchObject({ role: 'moderator' });
    expect(await feedOf(bob, `member/${id}`)).toMatchObject({ role: 'owner' });
    (await transfer(ann, id, cem)).refused('forbidden');
    (await remove(ann, id, 'me')).ok();
  });

  it('goes to members alone, and only from an owner', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { members: [bob] });
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await transfer(bob, id, bob)).refused('forbidden');
      (await transfer(eve, id, eve)).refused('not_found');
      for (const stranger of [eve, { id: 'nobody-here', token: '' }]) {
        const reply = await transfer(ann, id, stranger);
        expect(reply.status, stranger.id).toBeGreaterThanOrEqual(400);
      }
    });
    const direct = await world.create(ann, { type: 'direct', members: [bob] });
    (await transfer(ann, direct.id, bob)).refused('forbidden');
  });
});

describe('roles', () => {
  it('above one`s own cannot be given, and the last owner neither leaves nor steps down while others remain', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    (await put(ann, id, bob, 'moderator')).ok();
    const [outsider] = await world.people('outsider');
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await put(bob, id, bob, 'owner')).refused('forbidden');
      (await put(bob, id, cem, 'moderator')).refused('forbidden');
      (await put(bob, id, outsider, 'owner')).refused('forbidden');
      (await put(bob, id, outsider, 'moderator')).refused('forbidden');
      (await put(bob, id, ann, 'member')).refused('forbidden');
      (await remove(bob, id, ann)).refused('forbidden');
      (await remove(ann, id, 'me')).refused('last_owner');
      (await put(ann, id, ann, 'moderator')).refused('last_owner');
      (await put(ann, id, ann, 'member')).refused('last_owner');
    });
    for (const who of [bob, cem]) (await remove(ann, id, who)).ok();
    (await remove(ann, id, 'me')).ok();
    (await world.http.call('getConversation', { token: ann.token, params: { conversationId: id } })).refused('not_found');
  });
});
