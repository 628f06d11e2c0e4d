import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { actsOn } from './support/acts.ts';
import { entryOf } from './support/reads.ts';
import { tellUntil } from './support/socket.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, edit, react, redact, mark, remove, put, update } = actsOn(() => world.http);

const shown = async (who: Person, id: string) =>
  (await world.http.call('getConversation', { token: who.token, params: { conversationId: id } })).ok().conversation;

describe('PATCH of a conversation', () => {
  it('changes what is named, in one entry that holds only what changed', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob], title: 'old' });
    const avatarUrl = 'https://example.org/a.png';
    expect((await update(ann, id, { title: 'new', avatarUrl, metadata: { a: [1] } })).ok()).toEqual({ seq: 2, changed: true });
    expect(await entryOf(world, bob, id, 2)).toEqual({
      seq: 2,
      type: 'conversation.updated',
      senderId: '$system',
      createdAt: expect.any(String),
      body: { by: ann.id, title: 'new', avatarUrl, metadata: { a: [1] } },
    });
    // Title is the same: only the rest is a change.
    (await update(ann, id, { title: 'new', frozen: true, slowModeSeconds: 5, retentionSeconds: 86_400 })).ok();
    expect((await entryOf(world, bob, id, 3))?.body).toEqual({ by: ann.id, frozen: true, slowModeSeconds: 5, retentionSeconds: 86_400 });
    expect(await shown(bob, id)).toMatchObject({
      title: 'new',
      avatarUrl,
      metadata: { a: [1] },
      frozen: true,
      slowModeSeconds: 5,
      retentionSeconds: 86_400,
      lastSeq: 3,
    });
    expect(await world.head(bob, id)).toMatchObject({ title: 'new', avatarUrl, frozen: true, unread: 0 });
  });

  it('clears with empty text, {} and 0; absent and null stay', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann, { title: 'old' });
    const set = { avatarUrl: 'https://example.org/a.png', metadata: { a: 1 }, frozen: true, slowModeSeconds: 5, retentionSeconds: 86_400 };
    (await update(ann, id, set)).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (const body of [
        {},
        { title: null, avatarUrl: null, metadata: null, frozen: null, slowModeSeconds: null, retentionSeconds: null },
        set,
      ]) {
        expect((await update(ann, id, body)).ok()).toEqual({ seq: null, changed: false });
      }
    });
    const empty = { title: '', avatarUrl: '', metadata: {}, frozen: false, slowModeSeconds: 0, retentionSeconds: 0 };
    (await update(ann, id, empty)).ok();
    expect((await entryOf(world, ann, id, 3))?.body).toEqual({
      by: ann.id,
      title: null,
      avatarUrl: null,
      metadata: null,
      frozen: false,
      slowModeSeconds: expect.toSatisfy((value) => value === 0 || value === null),
      retentionSeconds: expect.toSatisfy((value) => value === 0 || value === null),
    });
    expect(await shown(ann, id)).toMatchObject({
      title: null,
      avatarUrl: null,
      metadata: null,
      frozen: false,
      slowModeSeconds: 0,
      retentionSeconds: 0,
    });
    expect((await update(ann, id, empty)).ok().changed).toBe(false);
  });

  it.each([
    ['a title of 201 characters', { title: 'x'.repeat(201) }],
    ['an avatar that is no web address', { avatarUrl: 'javascript:alert(1)' }],
    ['metadata that is a list', { metadata: [] }],
    ['frozen as text', { frozen: 'yes' }],
    ['a slow mode below zero', { slowModeSeconds: -1 }],
    ['a slow mode of more than a day', { slowModeSeconds: 24 * 3_600 + 1 }],
    ['a retention of more than ten years', { retentionSeconds: 10 * 366 * 24 * 3_600 + 1 }],
    ['a retention that is no whole number', { retentionSeconds: 1.5 }],
    ['a field that stays what it was made', { type: 'channel' }],
    ['the history', { history: 'full' }],
    ['a good and a bad field', { title: 'good', slowModeSeconds: -1 }],
  ])('refuses %s', async (_, body) => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await update(ann, id, body)).refused('invalid_request');
    });
  });

  it('refuses all of it if one field is not for that role, and metadata over its bound', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    (await put(ann, id, bob, 'moderator')).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await update(bob, id, { title: 'mine', retentionSeconds: 60 })).refused('forbidden');
      expect((await update(ann, id, { metadata: { text: 'x'.repeat(4_096) } })).refused('too_large').detail).toContain('metadataBytes');
    });
    const direct = await world.create(ann, { type: 'direct', members: [bob] });
    await leavesAllAsItWas(world.system.database, direct.id, async () => {
      for (const body of [{ title: 'x' }, { frozen: true }, { slowModeSeconds: 1 }, { metadata: { a: 1 }, title: 'x' }]) {
        (await update(ann, direct.id, body)).refused('forbidden');
      }
    });
    (await update(bob, direct.id, { metadata: { theme: 'dark' }, retentionSeconds: 3_600 })).ok();
  });
});

describe('a frozen conversation', () => {
  it('is read-only for members, who may still read, leave and take their own back', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(bob, id, 'x', { clientMsgId: 'm' });
    (await update(ann, id, { frozen: true })).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await send(bob, id, 'y')).refused('frozen');
      (await edit(bob, id, seq, 'y')).refused('frozen');
      (await react(bob, id, seq, '👍')).refused('frozen');
      expect((await send(bob, id, 'x', { clientMsgId: 'm' })).ok(200).seq).toBe(seq);
    });
    const theirs = await said(ann, id, 'owners may');
    expect((await mark(bob, id, theirs)).ok().unread).toBe(0);
    (await redact(bob, id, seq)).ok();
    (await remove(bob, id, 'me')).ok();
  });

  it('lets nothing typed and no event of a member through, and thaws', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const watcher = await world.device(ann);
    const typist = await world.device(bob);
    for (const device of [watcher, typist]) await device.ask('watch', { conversationIds: [id] });
    await tellUntil(typist, 'typing', { conversationId: id, active: true }, () => watcher.heard('typing').length > 0);
    await tellUntil(typist, 'event', { conversationId: id, name: 'wave', payload: { n: 1 } }, () => watcher.heard('event').length > 0);
    expect(await watcher.hear('event')).toEqual({ conversationId: id, userId: bob.id, name: 'wave', payload: { n: 1 } });
    const frozen = (await update(ann, id, { frozen: true })).ok().seq ?? 0;
    // The gateway that heard of the change has what it needs to judge.
    await watcher.reach(`c/${id}`, frozen);
    await waitFor('the end of typing', async () => {
      const before = watcher.heard('event').length;
      typist.tell('event', { conversationId: id, name: 'wave', payload: { n: 2 } });
      await typist.ask('presence.set', { status: 'online' });
      await watcher.reach(`c/${id}`, await said(ann, id, 'marker'));
      return watcher.heard('event').length === before;
    });
    const heard = watcher.heard('typing').length;
    typist.tell('typing', { conversationId: id, active: true });
    typist.tell('typing', { conversationId: id, active: false });
    await typist.ask('presence.set', { status: 'online' });
    await watcher.reach(`c/${id}`, await said(ann, id, 'marker'));
    expect(
      watcher
        .heard('typing')
        .slice(heard)
        .filter(({ active }) => active),
    ).toEqual([]);
    (await update(ann, id, { frozen: false })).ok();
    (await send(bob, id, 'again')).ok(201);
  });
});

describe('slow mode', () => {
  /** Milliseconds since 1970 by the database, whose time it is that counts. */
  const databaseNow = async () => {
    const [row] = await world.system.database.query<{ ms: number }>('select extract(epoch from clock_timestamp())::float8 * 1000 as ms');
    return row?.ms ?? 0;
  };

  /** Of a member who has just sent while slow mode is an hour: moves that back so far that the next message is welcome in so many seconds; says when. */
  const welcomeIn = async (id: string, userId: string, seconds: number) => {
    const [row] = await world.system.database.query<{ ms: number }>(
      `update member set last_sent_at = clock_timestamp() - interval '1 hour' + make_interval(secs => $3)
        where conversation_id = $1 and user_id = $2 returning extract(epoch from last_sent_at)::float8 * 1000 + 3600000 as ms`,
      [id, userId, seconds],
    );
    return row?.ms ?? 0;
  };

  it('says to the second when the next message is welcome', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    (await update(ann, id, { slowModeSeconds: 3_600 })).ok();
    const { createdAt } = (await send(bob, id, 'first')).ok(201);
    const saysWhen = async (welcome: number) => {
      const earliest = await databaseNow();
      const refusal = await send(bob, id, 'second');
      const latest = await databaseNow();
      refusal.refused('slow_mode');
      const seconds = Number(refusal.headers.get('retry-after'));
      expect(seconds).toBeGreaterThanOrEqual(Math.ceil((welcome - latest) / 1_000));
      expect(seconds).toBeLessThanOrEqual(Math.ceil((welcome - earliest) / 1_000));
    };
    await saysWhen(Date.parse(createdAt) + 3_600_000);
    await saysWhen(await welcomeIn(id, bob.id, 1_799.5));
  });

  it('is over exactly then, for each member alone', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    (await update(ann, id, { slowModeSeconds: 3_600 })).ok();
    (await send(bob, id, 'first')).ok(201);
    (await send(cem, id, 'another member')).ok(201);
    (await send(bob, id, 'second', { clientMsgId: 'second' })).refused('slow_mode');
    const welcome = await welcomeIn(id, bob.id, 1);
    const refusedAfter: number[] = [];
    const second = await waitFor('the second message', async () => {
      const asked = await databaseNow();
      const reply = await send(bob, id, 'second', { clientMsgId: 'second' });
      if (reply.status === 201) return reply.ok(201);
      reply.refused('slow_mode');
      refusedAfter.push(asked);
      return undefined;
    });
    expect(Date.parse(second.createdAt)).toBeGreaterThanOrEqual(welcome);
    expect(
      refusedAfter.filter((asked) => asked >= welcome),
      'refused although it was time',
    ).toEqual([]);
  });

  it('spares owners and moderators, and everything but messages', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    (await put(ann, id, cem, 'moderator')).ok();
    (await update(ann, id, { slowModeSeconds: 3_600 })).ok();
    for (const who of [ann, cem]) for (const text of ['one', 'two']) await said(who, id, text);
    const seq = await said(bob, id, 'first', { clientMsgId: 'm' });
    const head = (await world.entries(bob, id)).head;
    (await send(bob, id, 'second')).refused('slow_mode');
    (await send(bob, id, {}, { type: 'custom.x' })).refused('slow_mode');
    // What was refused is no entry, and what was sent before is answered again.
    expect((await world.entries(bob, id)).head).toBe(head);
    expect((await send(bob, id, 'first', { clientMsgId: 'm' })).ok(200).seq).toBe(seq);
    (await edit(bob, id, seq, 'edited')).ok();
    (await react(bob, id, seq, '👍')).ok();
    (await redact(bob, id, seq)).ok();
    (await update(ann, id, { slowModeSeconds: 0 })).ok();
    await said(bob, id, 'second');
  });
});
