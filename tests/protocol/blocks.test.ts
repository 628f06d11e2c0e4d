import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { actsOn } from './support/acts.ts';
import { type Device, tellUntil } from './support/socket.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, useWorld } from './support/world.ts';

const world = useWorld({
  env: { LIMIT_BLOCKS_PER_USER: '5', LIMIT_CUSTOM_EVENTS_PER_10_SECONDS: '10000', LIMIT_TYPING_PER_10_SECONDS: '10000' },
});
const { said, send, edit, react, pin, redact, remove, mark, update } = actsOn(() => world.http);

const block = (by: Person, userId: string) => world.http.call('blockUser', { token: by.token, params: { userId } });
const unblock = (by: Person, userId: string) => world.http.call('unblockUser', { token: by.token, params: { userId } });
const blocks = async (by: Person, query: Record<string, string | number> = {}) =>
  (await world.http.call('listBlocks', { token: by.token, query })).ok();
const feedState = async (who: Person, subject: string) =>
  (await world.sync(who, { feed: { after: 0 } })).feed?.items.find((item) => item.subject === subject)?.state;

describe('a block', () => {
  it('refuses what the blocked one writes to the direct conversation, until it is lifted', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { type: 'direct', members: [bob] });
    const seq = await said(bob, id, 'x', { clientMsgId: 'm' });
    const anns = await world.device(ann);
    expect((await block(ann, bob.id)).ok()).toEqual({ changed: true });
    expect(await feedState(ann, `block/${bob.id}`)).toEqual({ blocked: true });
    await anns.reach(`u/${ann.id}`, (await world.sync(ann, { feed: { after: 0 } })).feed?.version ?? 0);
    // The blocked one is told nothing of it.
    expect(JSON.stringify((await world.sync(bob, { feed: { after: 0 } })).feed)).not.toContain('block');
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await send(bob, id, 'y')).refused('blocked');
      (await edit(bob, id, seq, 'y')).refused('blocked');
      (await react(bob, id, seq, '👍')).refused('blocked');
      (await pin(bob, id, seq)).refused('blocked');
      (await update(bob, id, { metadata: { text: 'y' } })).refused('blocked');
      (await update(bob, id, { retentionSeconds: 1 })).refused('blocked');
      // What succeeded before is answered as before.
      expect((await send(bob, id, 'x', { clientMsgId: 'm' })).ok(200).seq).toBe(seq);
      expect((await block(ann, bob.id)).ok()).toEqual({ changed: false });
    });
    expect((await world.entries(bob, id)).entries).toHaveLength(2);
    (await redact(bob, id, seq)).ok();
    await said(ann, id, 'the blocker may');
    expect((await unblock(ann, bob.id)).ok()).toEqual({ changed: true });
    expect(await feedState(ann, `block/${bob.id}`)).toEqual({ blocked: false });
    expect((await unblock(ann, bob.id)).ok()).toEqual({ changed: false });
    await said(bob, id, 'again');
  });

  it('holds in a direct conversation that is created later, whoever creates it', async () => {
    for (const creator of [0, 1]) {
      const [ann, bob] = await world.people('ann', 'bob');
      (await block(ann, bob.id)).ok();
      const [by, other] = creator === 0 ? [ann, bob] : [bob, ann];
      const { id } = await world.create(by, { type: 'direct', members: [other] });
      (await send(bob, id, 'x')).refused('blocked');
      await said(ann, id, 'x');
      (await block(bob, ann.id)).ok();
      (await send(ann, id, 'y')).refused('blocked');
      (await unblock(ann, bob.id)).ok();
      await said(bob, id, 'y');
      (await send(ann, id, 'z')).refused('blocked');
    }
  });

  it('refuses metadata of the blocked one to a direct conversation that is created with it', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    (await block(ann, bob.id)).ok();
    const ask = (by: Person, other: Person, more: object) =>
      world.http.call('createConversation', { token: by.token, body: { type: 'direct', members: [other.id], ...more } });
    (await ask(bob, ann, { metadata: { text: 'y' } })).refused('blocked');
    expect((await world.http.call('listHeads', { token: ann.token, query: {} })).ok().items).toEqual([]);
    // Without it the conversation comes to be, and what names it again changes nothing.
    const { id } = (await ask(bob, ann, {})).ok(201).conversation;
    expect((await ask(bob, ann, { metadata: { text: 'y' } })).ok(200).conversation).toMatchObject({ id, metadata: null });

    // The blocker may.
    const [cem, dan] = await world.people('cem', 'dan');
    (await block(cem, dan.id)).ok();
    expect((await ask(cem, dan, { metadata: { n: 1 } })).ok(201).conversation.metadata).toEqual({ n: 1 });
  });

  it('leaves a hidden direct conversation hidden when the blocked one takes back what was said', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { type: 'direct', members: [bob] });
    const seqs = [await said(bob, id, 'one'), await said(bob, id, 'two')];
    (await block(ann, bob.id)).ok();
    (await remove(ann, id, 'me')).ok();
    for (const seq of seqs) (await redact(bob, id, seq)).ok();
    expect(await world.head(ann, id)).toMatchObject({ lastSeq: 5, unread: 2, member: { hidden: true } });
    expect((await world.http.call('getUnread', { token: ann.token })).ok()).toEqual({ total: 0, mentions: 0 });
  });

  it('changes nothing in groups: entries stay the same for all', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    (await block(ann, bob.id)).ok();
    const seq = await said(bob, id, 'x');
    expect((await world.entries(ann, id)).entries.map((entry) => entry.seq)).toContain(seq);
    expect(await world.head(ann, id)).toMatchObject({ unread: 1 });
  });

  it('is listed by user id in pages, bounded, and concerns users that exist', async () => {
    const [ann] = await world.people('ann');
    const others = await world.peopleOf(
      world.system.app,
      [1, 2, 3, 4, 5, 6].map((n) => `blocked-${n}`),
    );
    expect((await blocks(ann)).items).toEqual([]);
    for (const { id } of others.slice(0, 5)) (await block(ann, id)).ok();
    (await block(ann, 'blocked-6')).refused('limit_reached');
    (await block(ann, 'nobody-here')).refused('user_unknown');
    (await unblock(ann, 'nobody-here')).refused('user_unknown');
    const first = await blocks(ann, { limit: 2 });
    expect(first.items.map(({ userId }) => userId)).toEqual(['blocked-1', 'blocked-2']);
    const rest = await blocks(ann, { cursor: first.nextCursor ?? '' });
    expect(rest.items.map(({ userId }) => userId)).toEqual(['blocked-3', 'blocked-4', 'blocked-5']);
    (await unblock(ann, 'blocked-1')).ok();
    (await block(ann, 'blocked-6')).ok();
    expect((await blocks(others[1] ?? ann)).items).toEqual([]);
  });

  it('keeps to its bound when many are set at once', async () => {
    const [ann] = await world.people('ann');
    const others = await world.people('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i');
    const replies = await Promise.all(others.map(({ id }) => block(ann, id)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(5);
    for (const reply of replies) if (reply.status !== 200) reply.refused('limit_reached');
    expect((await blocks(ann)).items).toHaveLength(5);
    const [bob, cem] = await world.people('bob', 'cem');
    for (let round = 0; round < 20; round += 1) {
      const both = await Promise.all([block(bob, cem.id), unblock(bob, cem.id), block(bob, cem.id), unblock(bob, cem.id)]);
      expect(both.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    }
  });
});

describe('between two of whom one blocks the other', () => {
  /** Both watch a group and each other; a third one is the witness that what should pass does. */
  async function stage() {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    const devices: Device[] = [];
    for (const who of [ann, bob, cem]) devices.push(await world.device(who));
    for (const device of devices) await device.ask('watch', { conversationIds: [id] });
    const [anns, bobs, cems] = devices as [Device, Device, Device];
    return { id, ann, bob, cem, anns, bobs, cems };
  }

  it('no typing, no event and no receipt passes, either way', async () => {
    const { id, ann, bob, cem, anns, bobs, cems } = await stage();
    (await block(ann, bob.id)).ok();
    /** One after the other, each heard by the witness. */
    const waves = async (n: number) => {
      for (const [device, who] of [
        [anns, ann],
        [bobs, bob],
      ] as const) {
        await tellUntil(device, 'event', { conversationId: id, name: 'wave', payload: { n } }, () =>
          cems.heard('event').some(({ userId, payload }) => userId === who.id && payload.n === n),
        );
      }
    };
    /** Everything told before has come once this has. */
    const settle = async () => {
      const seq = await said(cem, id, 'marker');
      for (const device of [anns, bobs]) await device.reach(`c/${id}`, seq);
    };
    // Gateways learn of it a moment after the answer: what came before is not counted.
    let n = 0;
    await waitFor('the gateway to know of the block', async () => {
      n += 1;
      await waves(n);
      await settle();
      const crossed = (device: Device, who: Person) =>
        device.heard('event').some(({ userId, payload }) => userId === who.id && payload.n === n);
      return !crossed(anns, bob) && !crossed(bobs, ann);
    });
    const before = { a: anns.heard('typing').length, b: bobs.heard('typing').length };
    const from = n + 1;
    await waves(from);
    for (const [device, who] of [
      [anns, ann],
      [bobs, bob],
    ] as const) {
      await tellUntil(device, 'typing', { conversationId: id, active: true }, () =>
        cems.heard('typing').some(({ userId }) => userId === who.id),
      );
    }
    const head = await said(cem, id, 'marker');
    for (const who of [ann, bob]) {
      (await mark(who, id, head)).ok();
      await cems.hear('receipt', ({ userId, readSeq }) => userId === who.id && readSeq === head);
    }
    await settle();
    const crossing = (device: Device, from_: Person, since: number) => ({
      typing: device
        .heard('typing')
        .slice(since)
        .filter(({ userId, active }) => userId === from_.id && active),
      events: device.heard('event').filter(({ userId, payload }) => userId === from_.id && payload.n === from),
      receipts: device.heard('receipt').filter(({ userId, readSeq }) => userId === from_.id && readSeq === head),
    });
    expect(crossing(anns, bob, before.a)).toEqual({ typing: [], events: [], receipts: [] });
    expect(crossing(bobs, ann, before.b)).toEqual({ typing: [], events: [], receipts: [] });
  });

  it('presence is offline, either way, and comes back', async () => {
    const { ann, bob, cem, anns, bobs } = await stage();
    const [seen] = (await anns.ask('presence.watch', { userIds: [bob.id] })).presence;
    expect(seen?.status).toBe('online');
    (await block(ann, bob.id)).ok();
    const presence = async (viewer: Person, of: Person) =>
      (await world.http.call('getPresence', { token: viewer.token, query: { users: of.id } })).ok().presence[0];
    await waitFor('both to be offline to each other', async () => {
      const pair = [await presence(ann, bob), await presence(bob, ann)];
      return pair.every((one) => one?.status === 'offline' && !one.lastSeenAt);
    });
    expect((await presence(cem, bob))?.status).toBe('online');
    await waitFor('the watch to follow', async () => {
      const one = (await anns.ask('presence.watch', { userIds: [bob.id] })).presence[0];
      const other = (await bobs.ask('presence.watch', { userIds: [ann.id] })).presence[0];
      return one?.status === 'offline' && other?.status === 'offline' && !one.lastSeenAt && !other.lastSeenAt;
    });
    (await unblock(ann, bob.id)).ok();
    await waitFor('both to be online again', async () => {
      const pair = [await presence(ann, bob), await presence(bob, ann)];
      return pair.every((one) => one?.status === 'online');
    });
  });
});
