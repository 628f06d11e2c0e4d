import { randomUUID } from 'node:crypto';
import type { ErrorCode, Role } from '@nudge/types';
import { describe, expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import { type Person, range, seqs, useWorld } from './support/world.ts';

const world = useWorld();

const { said, edit, redact, react, pin, update } = actsOn(() => world.http);

const put = (by: Person, conversationId: string, userId: string, role?: Role) =>
  world.http.call('putMember', { token: by.token, params: { conversationId, userId }, ...(role === undefined ? {} : { body: { role } }) });
const remove = (by: Person, conversationId: string, userId: string) =>
  world.http.call('removeMember', { token: by.token, params: { conversationId, userId } });
const get = (by: Person, conversationId: string) => world.http.call('getConversation', { token: by.token, params: { conversationId } });
const members = (by: Person, conversationId: string, query = {}) =>
  world.http.call('listMembers', { token: by.token, params: { conversationId }, query });

describe('creating', () => {
  it('answers the whole conversation, 201, and every member sees the same', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const body = {
      type: 'channel',
      members: [bob.id, bob.id, ann.id],
      title: 'news',
      metadata: { color: 'red', n: [1] },
      history: 'since_join',
    };
    const { conversation } = (await world.http.call('createConversation', { token: ann.token, body })).ok(201);
    expect(conversation).toMatchObject({
      type: 'channel',
      title: 'news',
      metadata: { color: 'red', n: [1] },
      history: 'since_join',
      createdBy: ann.id,
      memberCount: 2,
      lastSeq: 1,
      oldestSeq: 1,
    });
    expect((await get(ann, conversation.id)).ok().conversation).toEqual(conversation);
    expect((await get(bob, conversation.id)).ok().conversation).toEqual(conversation);
    expect((await members(bob, conversation.id)).ok().items).toEqual([
      { userId: ann.id, role: 'owner', joinedSeq: 1 },
      { userId: bob.id, role: 'member', joinedSeq: 1 },
    ]);
  });

  it('gives one direct conversation per pair, whoever asks, also at the same time', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const ask = (from: Person, to: Person) =>
      world.http.call('createConversation', { token: from.token, body: { type: 'direct', members: [to.id] } });
    const answers = await Promise.all([...range(1, 5).map(() => ask(ann, bob)), ...range(1, 5).map(() => ask(bob, ann))]);
    expect(new Set(answers.map((answer) => answer.ok().conversation.id)).size).toBe(1);
    expect(answers.map(({ status }) => status).filter((status) => status === 201)).toHaveLength(1);
    const { conversation } = (await ask(bob, ann)).ok(200);
    expect(conversation).toMatchObject({ type: 'direct', memberCount: 2, lastSeq: 1 });
  });

  it.each([
    ['nobody', (_: Person, __: Person) => ({ type: 'direct' })],
    ['oneself', (ann: Person) => ({ type: 'direct', members: [ann.id] })],
    ['three', (_: Person, bob: Person) => ({ type: 'direct', members: [bob.id, 'somebody'] })],
    ['a title', (_: Person, bob: Person) => ({ type: 'direct', members: [bob.id], title: 'us' })],
    ['a key', (_: Person, bob: Person) => ({ type: 'direct', members: [bob.id], key: 'k' })],
    ['an unknown type', () => ({ type: 'party' })],
    ['no type', () => ({})],
    ['an unknown history', () => ({ type: 'group', history: 'none' })],
    ['an empty title', () => ({ type: 'group', title: '' })],
    ['an empty key', () => ({ type: 'group', key: '' })],
  ])('refuses a direct conversation with %s, or a form it does not know', async (_, make) => {
    const [ann, bob] = await world.people('ann', 'bob');
    (await world.http.call('createConversation', { token: ann.token, body: make(ann, bob) })).refused('invalid_request');
  });

  it('is idempotent by key, per creator', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const ask = (by: Person, type: string, key: string) =>
      world.http.call('createConversation', { token: by.token, body: { type, key, title: 'x' } });
    const first = (await ask(ann, 'group', 'team')).ok(201).conversation;
    expect((await ask(ann, 'group', 'team')).ok(200).conversation).toEqual(first);
    expect((await ask(ann, 'group', 'other')).ok(201).conversation.id).not.toBe(first.id);
    expect((await ask(bob, 'group', 'team')).ok(201).conversation.id).not.toBe(first.id);
  });

  it('refuses users that do not exist', async () => {
    const [ann] = await world.people('ann');
    const body = { type: 'group', members: ['nobody-here'] };
    (await world.http.call('createConversation', { token: ann.token, body })).refused('user_unknown');
    const { id } = await world.create(ann);
    (await put(ann, id, 'nobody-here')).refused('user_unknown');
    expect((await get(ann, id)).ok().conversation).toMatchObject({ memberCount: 1, lastSeq: 1 });
  });
});

describe('the list of members', () => {
  it('is paged by user id and names the version it was read at', async () => {
    const people = await world.people(...range(1, 7).map((n) => `m${n}`));
    const [owner, ...rest] = people;
    if (owner === undefined) throw new Error('nobody');
    const { id } = await world.create(owner, { members: rest });
    const all: string[] = [];
    let cursor: string | undefined;
    do {
      const page = (await members(owner, id, { limit: 3, ...(cursor === undefined ? {} : { cursor }) })).ok();
      expect(page.items.length).toBeLessThanOrEqual(3);
      all.push(...page.items.map(({ userId }) => userId));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(all.toSorted()).toEqual(people.map((person) => person.id).toSorted());
    expect(new Set(all).size).toBe(all.length);

    const { version } = (await members(owner, id)).ok();
    await world.send(owner, id);
    expect((await members(owner, id)).ok().version).toBe(version);
    (await remove(owner, id, rest[0]?.id ?? '')).ok();
    expect((await members(owner, id)).ok().version).toBeGreaterThan(version);
    expect((await world.head(owner, id))?.version).toBe((await members(owner, id)).ok().version);
  });
});

type Actor = Role | 'outsider';
type Outcome = 'yes' | ErrorCode;
type Act =
  | 'addMember'
  | 'addModerator'
  | 'promote'
  | 'removeOwner'
  | 'removeModerator'
  | 'removeMember'
  | 'leave'
  | 'sendInChannel'
  | 'read';

/** The table of PROTOCOL.md, section 6; an outsider may nothing and learns nothing. */
const permissions: Record<Act, Record<Actor, Outcome>> = {
  addMember: { owner: 'yes', moderator: 'yes', member: 'forbidden', outsider: 'not_found' },
  addModerator: { owner: 'yes', moderator: 'forbidden', member: 'forbidden', outsider: 'not_found' },
  promote: { owner: 'yes', moderator: 'forbidden', member: 'forbidden', outsider: 'not_found' },
  removeOwner: { owner: 'forbidden', moderator: 'forbidden', member: 'forbidden', outsider: 'not_found' },
  removeModerator: { owner: 'yes', moderator: 'forbidden', member: 'forbidden', outsider: 'not_found' },
  removeMember: { owner: 'yes', moderator: 'yes', member: 'forbidden', outsider: 'not_found' },
  leave: { owner: 'yes', moderator: 'yes', member: 'yes', outsider: 'not_found' },
  sendInChannel: { owner: 'yes', moderator: 'yes', member: 'forbidden', outsider: 'not_found' },
  read: { owner: 'yes', moderator: 'yes', member: 'yes', outsider: 'not_found' },
};

describe('permissions', () => {
  const cases = Object.entries(permissions).flatMap(([act, row]) =>
    Object.entries(row).map(([actor, outcome]) => ({ act: act as Act, actor: actor as Actor, outcome })),
  );

  it.each(cases)('$act by $actor: $outcome', async ({ act, actor, outcome }) => {
    const [owner, owner2, moderator, moderator2, member, member2, outsider, fresh] = await world.people(
      'owner',
      'owner2',
      'moderator',
      'moderator2',
      'member',
      'member2',
      'outsider',
      'fresh',
    );
    const type = act === 'sendInChannel' ? 'channel' : 'group';
    const { id } = await world.create(owner, { type, members: [owner2, moderator, moderator2, member, member2] });
    (await put(owner, id, owner2.id, 'owner')).ok();
    (await put(owner, id, moderator.id, 'moderator')).ok();
    (await put(owner, id, moderator2.id, 'moderator')).ok();
    const by = { owner, moderator, member, outsider }[actor];
    const before = (await get(owner2, id)).ok().conversation;

    const acts: Record<Act, () => Promise<{ ok(): unknown; refused(code: ErrorCode): unknown }>> = {
      addMember: () => put(by, id, fresh.id),
      addModerator: () => put(by, id, fresh.id, 'moderator'),
      promote: () => put(by, id, member2.id, 'moderator'),
      removeOwner: () => remove(by, id, owner2.id),
      removeModerator: () => remove(by, id, moderator2.id),
      removeMember: () => remove(by, id, member2.id),
      leave: () => remove(by, id, 'me'),
      sendInChannel: () =>
        world.http.call('sendMessage', { token: by.token, params: { conversationId: id }, body: { clientMsgId: 'x', body: {} } }),
      read: () => world.http.call('listEntries', { token: by.token, params: { conversationId: id } }),
    };
    const answer = await acts[act]();
    const after = (await get(owner2, id)).ok().conversation;
    if (outcome === 'yes') {
      answer.ok();
      expect(after.lastSeq).toBe(before.lastSeq + (act === 'read' ? 0 : 1));
    } else {
      answer.refused(outcome);
      expect(after).toEqual(before);
    }
  });

  it('let every member of a group send, and nobody else', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { members: [bob] });
    await world.send(ann, id);
    await world.send(bob, id);
    (
      await world.http.call('sendMessage', { token: eve.token, params: { conversationId: id }, body: { clientMsgId: 'x', body: {} } })
    ).refused('not_found');
  });

  it('keep the last owner while others remain, for leaving and for stepping down', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    (await remove(ann, id, 'me')).refused('last_owner');
    (await remove(ann, id, ann.id)).refused('last_owner');
    (await put(ann, id, ann.id, 'member')).refused('last_owner');
    (await put(ann, id, bob.id, 'owner')).ok();
    expect((await remove(ann, id, 'me')).ok()).toEqual({ seq: 3, changed: true });
    expect((await remove(bob, id, bob.id)).ok()).toMatchObject({ changed: true });
    (await get(bob, id)).refused('not_found');
  });

  it('let an owner remove another one only after changing that one`s role', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    (await put(ann, id, bob.id, 'owner')).ok();
    (await remove(ann, id, bob.id)).refused('forbidden');
    (await put(ann, id, bob.id, 'member')).ok();
    expect((await remove(ann, id, bob.id)).ok()).toMatchObject({ changed: true });
  });

  it('keep others out of a direct conversation', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { type: 'direct', members: [bob] });
    (await put(ann, id, eve.id)).refused('forbidden');
    (await put(ann, id, bob.id, 'owner')).refused('forbidden');
    (await remove(ann, id, bob.id)).refused('forbidden');
    (await put(eve, id, eve.id)).refused('not_found');
    expect((await get(ann, id)).ok().conversation).toMatchObject({ memberCount: 2, lastSeq: 1 });
  });
});

describe('a change that changes nothing', () => {
  it('answers changed: false, has no seq and writes no entry', async () => {
    const [ann, bob, cho] = await world.people('ann', 'bob', 'cho');
    const { id } = await world.create(ann, { members: [bob] });
    const same = { seq: null, changed: false };
    expect((await put(ann, id, bob.id)).ok()).toEqual(same);
    expect((await put(ann, id, bob.id, 'member')).ok()).toEqual(same);
    expect((await put(ann, id, ann.id)).ok()).toEqual(same);
    expect((await remove(ann, id, cho.id)).ok()).toEqual(same);
    expect((await put(ann, id, cho.id)).ok()).toEqual({ seq: 2, changed: true });
    expect((await remove(ann, id, cho.id)).ok()).toEqual({ seq: 3, changed: true });
    expect((await remove(ann, id, cho.id)).ok()).toEqual(same);
    expect((await get(ann, id)).ok().conversation.lastSeq).toBe(3);
  });
});

describe('what a member sees', () => {
  it('is everything with history full, and only what came from its own joining on with since_join', async () => {
    const [ann, cho] = await world.people('ann', 'cho');
    for (const history of ['full', 'since_join'] as const) {
      const { id } = await world.create(ann, { history });
      await world.sendMany(ann, id, 3);
      (await put(ann, id, cho.id)).ok();
      await world.send(ann, id, 'after');
      const oldest = history === 'full' ? 1 : 5;
      const all = await world.entries(cho, id, { after: 0 });
      expect({ seqs: seqs(all.entries), oldest: all.oldestSeq, head: all.head }).toEqual({ seqs: range(oldest, 6), oldest, head: 6 });
      expect(seqs((await world.entries(cho, id, { before: 6 })).entries)).toEqual(range(oldest, 5));
      expect((await world.sync(cho, { conversations: { [id]: { after: oldest - 1 } } })).conversations[id]).toMatchObject({
        oldestSeq: oldest,
      });
    }
  });

  it('is nothing after leaving: the conversation answers exactly like one that does not exist', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await world.send(ann, id);
    // Its page is warm when it leaves.
    await world.entries(bob, id);
    (await remove(bob, id, 'me')).ok();
    const calls = (conversationId: string) => [
      world.http.call('getConversation', { token: bob.token, params: { conversationId } }),
      world.http.call('listMembers', { token: bob.token, params: { conversationId } }),
      world.http.call('listEntries', { token: bob.token, params: { conversationId } }),
      world.http.call('sendMessage', { token: bob.token, params: { conversationId }, body: { clientMsgId: 'x', body: {} } }),
      world.http.call('markRead', { token: bob.token, params: { conversationId }, body: { seq: 1 } }),
      world.http.call('removeMember', { token: bob.token, params: { conversationId, userId: ann.id } }),
      world.http.call('putMember', { token: bob.token, params: { conversationId, userId: bob.id } }),
    ];
    const left = await Promise.all(calls(id));
    const missing = await Promise.all(calls(randomUUID()));
    for (const [i, answer] of left.entries()) {
      expect({ ...answer.refused('not_found'), requestId: '' }).toEqual({ ...missing[i]?.refused('not_found'), requestId: '' });
    }
    expect((await world.sync(bob, { conversations: { [id]: { after: 0 } } })).conversations[id]).toEqual({
      error: { code: 'not_found', retryable: false },
    });
    expect(await world.head(bob, id)).toBeUndefined();
  });

  it('starts anew with a rejoin', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob], history: 'since_join' });
    await world.send(ann, id);
    (await remove(ann, id, bob.id)).ok();
    await world.send(ann, id);
    (await put(ann, id, bob.id)).ok();
    await world.send(ann, id);
    const page = await world.entries(bob, id, { after: 0 });
    expect({ seqs: seqs(page.entries), oldest: page.oldestSeq }).toEqual({ seqs: [5, 6], oldest: 5 });
  });
});

describe('leaving a direct conversation', () => {
  it('hides it from one`s own list until something new arrives or it is created again', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { type: 'direct', members: [bob] });
    const hidden = async (who: Person) => (await world.head(who, id))?.member.hidden ?? 'not listed';
    expect(await hidden(bob)).toBe(false);
    expect((await remove(bob, id, 'me')).ok().changed).toBe(true);
    expect([await hidden(bob), await hidden(ann)]).toEqual([true, false]);
    expect(seqs((await world.entries(bob, id)).entries)).toEqual([1]);
    await world.send(ann, id);
    expect(await hidden(bob)).toBe(false);
    (await remove(bob, id, 'me')).ok();
    expect(await hidden(bob)).toBe(true);
    await world.create(bob, { type: 'direct', members: [ann] });
    expect(await hidden(bob)).toBe(false);
  });

  it('hides it until something comes that counts as unread: no act on what is there, no change of the conversation', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { type: 'direct', members: [bob] });
    const seq = await said(ann, id, 'one', { mentions: [bob.id] });
    (await remove(bob, id, 'me')).ok();
    (await edit(ann, id, seq, 'two', { mentions: [bob.id] })).ok();
    (await react(ann, id, seq, '👍')).ok();
    (await pin(ann, id, seq)).ok();
    (await update(ann, id, { metadata: { n: 1 } })).ok();
    await said(ann, id, {}, { type: 'custom.quiet' });
    (await redact(ann, id, seq)).ok();
    const state = async () => ({
      hidden: (await world.head(bob, id))?.member.hidden,
      ...(await world.http.call('getUnread', { token: bob.token })).ok(),
    });
    expect(await state()).toEqual({ hidden: true, total: 0, mentions: 0 });
    await said(ann, id, 'three');
    expect(await state()).toEqual({ hidden: false, total: 2, mentions: 0 });
  });
});
