import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { actsOn } from './support/acts.ts';
import { entryOf } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, react, pin, redact, mark } = actsOn(() => world.http);

const settings = (countableTypes?: readonly string[] | null, token = world.system.app.serverKey) =>
  world.http.call('updateApp', { token, body: countableTypes === undefined ? {} : { countableTypes } });

describe('a custom entry', () => {
  it('is sent like a message and comes back equal, under its own type', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const body = { question: 'when?', options: ['now', 'later'], n: 1.5 };
    const answer = (await send(ann, id, body, { type: 'custom.poll', clientMsgId: 'p' })).ok(201);
    expect(answer).toMatchObject({ seq: 2, asSent: true });
    expect(await entryOf(world, bob, id, 2)).toEqual({
      seq: 2,
      type: 'custom.poll',
      senderId: ann.id,
      createdAt: answer.createdAt,
      clientMsgId: 'p',
      body,
    });
    (await send(ann, id, body, { type: 'custom.poll', clientMsgId: 'p' })).ok(200);
    (await send(ann, id, body, { type: 'custom.other', clientMsgId: 'p' })).refused('client_msg_id_reused');
    (await send(ann, id, body, { clientMsgId: 'p' })).refused('client_msg_id_reused');
  });

  it('takes reactions, pins, replies and redactions like a message', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, { text: 'poll' }, { type: 'custom.poll' });
    (await react(bob, id, seq, '👍')).ok();
    (await pin(ann, id, seq)).ok();
    await said(bob, id, 'yes', { replyTo: seq });
    expect(await entryOf(world, bob, id, seq)).toMatchObject({ type: 'custom.poll', pinned: true, reactions: [{ emoji: '👍' }] });
    (await redact(ann, id, seq)).ok();
    expect(await entryOf(world, bob, id, seq)).toMatchObject({ type: 'custom.poll', redacted: true, body: null });
  });

  it('counts as unread only if its type does so by the app`s settings when it is appended', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const unread = async () => (await world.head(bob, id))?.unread;
    expect((await settings([])).ok()).toEqual({ settings: { countableTypes: [] } });
    await said(ann, id, {}, { type: 'custom.poll' });
    expect(await unread()).toBe(0);
    expect((await settings(['custom.poll'])).ok()).toEqual({ settings: { countableTypes: ['custom.poll'] } });
    // Every process acts on it within seconds.
    const takesEffect = (count: boolean) =>
      waitFor('the settings to take effect', async () => {
        const before = await unread();
        const seq = await said(ann, id, {}, { type: 'custom.poll' });
        return (await unread()) === (before ?? 0) + (count ? 1 : 0) && seq;
      });
    await mark(bob, id, await takesEffect(true));
    await said(ann, id, {}, { type: 'custom.silent' });
    expect(await unread()).toBe(0);
    await said(ann, id, {}, { type: 'custom.poll' });
    expect(await unread()).toBe(1);
    // What is absent or null stays.
    for (const nothing of [undefined, null]) expect((await settings(nothing)).ok().settings.countableTypes).toEqual(['custom.poll']);
    const sent = (await send(ann, id, {}, { type: 'custom.poll', clientMsgId: 'counted' })).ok(201);
    // Only the server knows that it counts, so the sender pulls it.
    expect(sent.asSent).toBe(false);
    expect((await send(ann, id, {}, { type: 'custom.poll', clientMsgId: 'counted' })).ok(200).asSent).toBe(false);
    const counted = sent.seq;
    expect(await entryOf(world, bob, id, counted)).toMatchObject({ type: 'custom.poll', countable: true });
    expect(await unread()).toBe(2);
    expect((await mark(bob, id, counted - 1)).ok().unread).toBe(1);
    expect((await mark(bob, id, counted)).ok().unread).toBe(0);
    (await settings([])).ok();
    await mark(bob, id, await takesEffect(false));
    // Another app's settings are its own.
    (await settings(['custom.poll'], world.system.otherApp.serverKey)).ok();
    await said(ann, id, {}, { type: 'custom.poll' });
    expect(await unread()).toBe(0);
  });

  it.each([
    'custom',
    'custom.',
    'custom.Poll',
    `custom.${'x'.repeat(41)}`,
    'custom.a b',
    'customs.x',
    'message.edited',
    'reaction.added',
    'CUSTOM.x',
    'custom.ä',
  ])('may not be of the type %j', async (type) => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await send(ann, id, {}, { type })).refused('invalid_request');
    });
    (await settings([type])).refused('invalid_request');
  });

  it('may have any name of 40 of the letters allowed', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    for (const type of ['custom.x', `custom.${'x'.repeat(40)}`, 'custom.a_b.c-9', 'custom..']) await said(ann, id, {}, { type });
  });
});
