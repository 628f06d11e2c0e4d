import { describe, expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import { entryOf } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, seqs, useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, edit, redact, react } = actsOn(() => world.http);

const versions = async (id: string, seq: number) =>
  (await world.http.call('listVersions', { token: world.system.app.serverKey, params: { conversationId: id, seq: String(seq) } })).ok()
    .versions;

async function pair(type: 'group' | 'channel' = 'group'): Promise<{ id: string; ann: Person; bob: Person }> {
  const [ann, bob] = await world.people('ann', 'bob');
  return { id: (await world.create(ann, { type, members: [bob] })).id, ann, bob };
}

describe('an edit', () => {
  it('appends an acting entry, and every page shows the message as it now stands', async () => {
    const { id, ann, bob } = await pair();
    const seq = await said(ann, id, 'one', { clientMsgId: 'm1' });
    // The page is warm in every cache before it changes.
    const before = await entryOf(world, bob, id, seq);
    expect((await edit(ann, id, seq, { text: 'two', more: [1] })).ok()).toEqual({ seq: 3, changed: true });
    const { entries } = await world.entries(bob, id, { after: 1, min: 3 });
    const [message, acting] = entries;
    expect(entries).toEqual([
      { ...before, editedAt: acting?.createdAt, stateSeq: 3, body: { text: 'two', more: [1] } },
      {
        seq: 3,
        type: 'message.edited',
        target: seq,
        senderId: ann.id,
        createdAt: expect.any(String),
        body: { text: 'two', more: [1] },
      },
    ]);
    expect(Object.keys(acting ?? {}).slice(0, 3)).toEqual(['seq', 'type', 'target']);
    for (const query of [{}, { after: 0 }, { before: 3 }]) {
      expect((await world.entries(bob, id, query)).entries.find((entry) => entry.seq === seq)).toEqual(message);
    }
    const synced = (await world.sync(bob, { conversations: { [id]: { after: 1 } } })).conversations[id];
    expect(synced).toMatchObject({ entries });
  });

  it('keeps the body of the last edit alone, and every version for the integrator', async () => {
    const { id, ann, bob } = await pair();
    const seq = await said(ann, id, 'one');
    const [first, second] = [(await edit(ann, id, seq, 'two')).ok().seq, (await edit(ann, id, seq, 'three')).ok().seq];
    const { entries } = await world.entries(bob, id, { after: 1 });
    expect(entries.map(({ seq: at, target, stateSeq, body }) => ({ at, target, stateSeq, body }))).toEqual([
      { at: seq, target: undefined, stateSeq: second, body: { text: 'three' } },
      { at: first, target: seq, stateSeq: undefined, body: null },
      { at: second, target: seq, stateSeq: undefined, body: { text: 'three' } },
    ]);
    const kept = await versions(id, seq);
    expect(kept.map(({ body }) => body)).toEqual([{ text: 'one' }, { text: 'two' }, { text: 'three' }]);
    const times = kept.map(({ writtenAt }) => writtenAt);
    expect(times).toEqual(times.toSorted());
    expect(times.at(-1)).toBe(entries[2]?.createdAt);
  });

  it('with the same content is no change and no entry, whatever the order of the keys', async () => {
    const { id, ann, bob } = await pair();
    const seq = await said(ann, id, { text: 'x', n: 1 }, { mentions: [bob.id] });
    await leavesAllAsItWas(world.system.database, id, async () => {
      expect((await edit(ann, id, seq, { n: 1, text: 'x' }, { mentions: [bob.id] })).ok()).toEqual({ seq: null, changed: false });
    });
    // Absent mentions are none: that is a change.
    expect((await edit(ann, id, seq, { text: 'x', n: 1 })).ok()).toEqual({ seq: 3, changed: true });
    expect(await entryOf(world, ann, id, seq)).not.toHaveProperty('mentions');
  });

  it('with ifStateSeq goes through only if nothing acted on the message since', async () => {
    const { id, ann, bob } = await pair();
    const seq = await said(ann, id, 'one');
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await edit(ann, id, seq, 'two', { ifStateSeq: 7 })).refused('state_changed');
    });
    const first = (await edit(ann, id, seq, 'two', { ifStateSeq: 0 })).ok().seq;
    (await edit(ann, id, seq, 'three', { ifStateSeq: 0 })).refused('state_changed');
    const reacted = (await react(bob, id, seq, '👍')).ok().seq;
    (await edit(ann, id, seq, 'three', { ifStateSeq: first })).refused('state_changed');
    (await edit(ann, id, seq, 'three', { ifStateSeq: reacted })).ok();
  });

  it('is idempotent by its clientMsgId, which lives beside those of sends', async () => {
    const { id, ann } = await pair();
    const seq = await said(ann, id, 'one', { clientMsgId: 'sent' });
    const first = (await edit(ann, id, seq, 'two', { clientMsgId: 'edited' })).ok();
    expect(first).toEqual({ seq: 3, changed: true });
    (await edit(ann, id, seq, 'three')).ok();
    expect((await edit(ann, id, seq, 'two', { clientMsgId: 'edited' })).ok().seq).toBe(first.seq);
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await edit(ann, id, seq, 'other', { clientMsgId: 'edited' })).refused('client_msg_id_reused');
      (await edit(ann, id, seq, 'two', { clientMsgId: 'sent' })).refused('client_msg_id_reused');
      (await send(ann, id, 'two', { clientMsgId: 'edited' })).refused('client_msg_id_reused');
    });
    expect((await entryOf(world, ann, id, seq))?.body).toEqual({ text: 'three' });
  });

  it('that changes nothing leaves no trace of itself, of its clientMsgId neither', async () => {
    const { id, ann } = await pair();
    const seq = await said(ann, id, 'one');
    const unchanged = { seq: null, changed: false };
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (let n = 0; n < 2; n += 1) expect((await edit(ann, id, seq, 'one', { clientMsgId: 'e1' })).ok()).toEqual(unchanged);
      expect((await edit(ann, id, seq, 'one', { clientMsgId: 'e2', ifStateSeq: 0 })).ok()).toEqual(unchanged);
    });
    const two = (await edit(ann, id, seq, 'two', { clientMsgId: 'e1' })).ok();
    expect(two).toEqual({ seq: 3, changed: true });
    // From the first one that is written on the id stands for that content.
    expect((await edit(ann, id, seq, 'two', { clientMsgId: 'e1' })).ok()).toEqual(two);
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await edit(ann, id, seq, 'one', { clientMsgId: 'e1' })).refused('client_msg_id_reused');
      // Late, it does not overwrite what came in between.
      (await edit(ann, id, seq, 'one', { clientMsgId: 'e2', ifStateSeq: 0 })).refused('state_changed');
    });
    // Without ifStateSeq it is judged anew.
    expect((await edit(ann, id, seq, 'one', { clientMsgId: 'e3' })).ok()).toEqual({ seq: 4, changed: true });
  });

  it('does not make anything unread, and moves no read position', async () => {
    const { id, ann, bob } = await pair();
    const seq = await said(ann, id, 'one');
    await said(bob, id, 'mine');
    const before = await world.head(bob, id);
    (await edit(ann, id, seq, 'two')).ok();
    expect(await world.head(bob, id)).toMatchObject({ readSeq: before?.readSeq, unread: before?.unread, lastSeq: 4 });
  });

  it('shows in the list`s preview, and rings the devices', async () => {
    const { id, ann, bob } = await pair();
    const seq = await said(ann, id, 'one');
    using device = await world.device(bob);
    const { seq: at } = (await edit(ann, id, seq, 'two')).ok();
    await device.reach(`c/${id}`, at ?? 0);
    expect((await world.head(bob, id))?.lastMessage).toMatchObject({ seq, excerpt: 'two' });
  });

  it('of a custom entry keeps its type', async () => {
    const { id, ann } = await pair();
    const seq = await said(ann, id, { options: ['a', 'b'] }, { type: 'custom.poll' });
    (await edit(ann, id, seq, { options: ['a'] })).ok();
    expect(await entryOf(world, ann, id, seq)).toMatchObject({ type: 'custom.poll', stateSeq: 3, body: { options: ['a'] } });
  });
});

describe('an edit that is refused', () => {
  it('changes nothing: others` messages, system and acting entries, what is not there, what was redacted, too much', async () => {
    const { id, ann, bob } = await pair();
    const [eve] = await world.people('eve');
    const seq = await said(ann, id, 'one');
    const gone = await said(ann, id, 'gone');
    (await redact(ann, id, gone)).ok();
    const acting = (await react(bob, id, seq, '👍')).ok().seq ?? 0;
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await edit(bob, id, seq, 'mine now')).refused('forbidden');
      (await edit(eve, id, seq, 'mine now')).refused('not_found');
      (await edit(ann, id, 1, 'history')).refused('invalid_request');
      (await edit(ann, id, acting, 'history')).refused('invalid_request');
      (await edit(bob, id, acting, 'history')).refused('invalid_request');
      for (const missing of [acting + 1, 1_000_000, Number.MAX_SAFE_INTEGER]) (await edit(ann, id, missing, 'x')).refused('not_found');
      (await edit(ann, id, gone, 'back')).refused('message_redacted');
      (await edit(ann, id, seq, { text: 'x'.repeat(16 * 1024) })).refused('too_large');
      (await edit(ann, id, seq, 'x', { mentions: [eve.id] })).refused('user_unknown');
      (await edit(ann, id, seq, 'x', { mentions: ['nobody-here'] })).refused('user_unknown');
      (await edit(ann, id, seq, 'x', { mentions: Array.from({ length: 51 }, (_, n) => `u${n}`) })).refused('invalid_request');
      (await edit(ann, id, seq, 'x', { replyTo: 1 })).refused('invalid_request');
    });
    expect(seqs((await world.entries(ann, id, { after: 0 })).entries)).toEqual([1, 2, 3, 4, 5]);
  });

  it('by one who may no longer send is refused like a send', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { type: 'channel', members: [bob] });
    const role = async (value: string) =>
      (
        await world.http.call('putMember', { token: ann.token, params: { conversationId: id, userId: bob.id }, body: { role: value } })
      ).ok();
    await role('moderator');
    const seq = await said(bob, id, 'one');
    await role('member');
    (await edit(bob, id, seq, 'two')).refused('forbidden');
    expect((await entryOf(world, bob, id, seq))?.body).toEqual({ text: 'one' });
  });
});

describe('the integrator', () => {
  it('edits anything in the name of the system', async () => {
    const { id, ann, bob } = await pair();
    const seq = await said(ann, id, 'one');
    const params = { conversationId: id, seq: String(seq) };
    const { serverKey } = world.system.app;
    const edited = (await world.http.call('adminEditMessage', { token: serverKey, params, body: { body: { text: 'two' } } })).ok();
    expect(edited).toEqual({ seq: 3, changed: true });
    expect(await entryOf(world, bob, id, 3)).toMatchObject({ type: 'message.edited', target: seq, senderId: '$system' });
    expect(await entryOf(world, bob, id, seq)).toMatchObject({ senderId: ann.id, stateSeq: 3, body: { text: 'two' } });
  });

  it('leaves versions that come page by page, the present one last', async () => {
    const { id, ann } = await pair();
    const seq = await said(ann, id, 'v0');
    for (const text of ['v1', 'v2', 'v3', 'v4']) (await edit(ann, id, seq, text)).ok();
    const params = { conversationId: id, seq: String(seq) };
    const texts: unknown[] = [];
    const sizes: number[] = [];
    const pageAfter = async (cursor: number) =>
      (await world.http.call('listVersions', { token: world.system.app.serverKey, params, query: { cursor, limit: 2 } })).ok();
    for (let cursor: number | null | undefined = 0; cursor != null; ) {
      const page: Awaited<ReturnType<typeof pageAfter>> = await pageAfter(cursor);
      texts.push(...page.versions.map(({ body }) => body.text));
      sizes.push(page.versions.length);
      cursor = page.nextCursor;
    }
    expect(texts).toEqual(['v0', 'v1', 'v2', 'v3', 'v4']);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(3);
  });

  it('gets the one version of a message that nobody touched, and 404 for what is none', async () => {
    const { id, ann } = await pair();
    const seq = await said(ann, id, 'one');
    expect(await versions(id, seq)).toEqual([{ body: { text: 'one' }, writtenAt: (await entryOf(world, ann, id, seq))?.createdAt }]);
    const ask = (params: Record<string, string>) => world.http.call('listVersions', { token: world.system.app.serverKey, params });
    (await ask({ conversationId: id, seq: '99' })).refused('not_found');
    (await ask({ conversationId: '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e', seq: '1' })).refused('not_found');
  });
});
