import { describe, expect, it } from 'vitest';
import { newCanary, tablesWith } from '../support/canary.ts';
import { actsOn } from './support/acts.ts';
import { sent } from './support/http.ts';
import { entryOf, everyRead } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, edit, redact, react, unreact, pin, unpin, put } = actsOn(() => world.http);

describe('a redaction', () => {
  it('leaves a tombstone with its seq, and an entry that says who', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(bob, id, 'oops', { clientMsgId: 'm1', mentions: [ann.id], replyTo: undefined });
    (await react(ann, id, seq, '👍')).ok();
    (await pin(ann, id, seq)).ok();
    (await edit(bob, id, seq, 'oops again')).ok();
    const before = await entryOf(world, ann, id, seq);
    expect((await redact(ann, id, seq)).ok()).toEqual({ seq: 6, changed: true });
    for (const viewer of [ann, bob]) {
      const { entries, mine } = await world.entries(viewer, id, { after: 0 });
      expect(entries[seq - 1]).toEqual({
        seq,
        type: 'message',
        senderId: bob.id,
        createdAt: before?.createdAt,
        clientMsgId: 'm1',
        redacted: true,
        stateSeq: 6,
        body: null,
      });
      expect(entries[5]).toEqual({
        seq: 6,
        type: 'message.redacted',
        target: seq,
        senderId: ann.id,
        createdAt: expect.any(String),
        body: null,
      });
      expect(entries[4]).toMatchObject({ type: 'message.edited', target: seq, body: null });
      expect(mine).toEqual({});
    }
    expect((await world.http.call('listPins', { token: ann.token, params: { conversationId: id } })).ok().items).toEqual([]);
  });

  it('removes the content from every row, cache, version and answer, for ever', async () => {
    const canaries = Array.from({ length: 3 }, newCanary) as [string, string, string];
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, { text: canaries[0], deep: { more: [canaries[0]] } }, { clientMsgId: 'm1', mentions: [bob.id] });
    const reply = await said(bob, id, 'a reply', { replyTo: seq });
    (await pin(ann, id, seq)).ok();
    (await react(bob, id, seq, '👍')).ok();
    (await edit(ann, id, seq, { text: canaries[1], card: canaries[1] })).ok();
    (await edit(ann, id, seq, { text: canaries[2], card: canaries[2] })).ok();
    // Every cache has it, and so have the tables: otherwise what follows would show nothing.
    for (let n = 0; n < 3; n += 1) expect(await everyRead(world, bob, id, [seq, reply])).toContain(canaries[2]);
    for (const canary of canaries) expect(await tablesWith(world.system.database, canary)).not.toEqual([]);

    (await redact(ann, id, seq)).ok();
    for (const viewer of [ann, bob]) {
      const text = await everyRead(world, viewer, id, [seq, reply]);
      for (const canary of canaries) expect(text).not.toContain(canary);
    }
    for (const canary of canaries) expect(await tablesWith(world.system.database, canary)).toEqual([]);
    const params = { conversationId: id, seq: String(seq) };
    const { versions } = (await world.http.call('listVersions', { token: world.system.app.serverKey, params })).ok();
    expect(versions).toEqual([]);
    // A send that is repeated does not bring it back.
    const again = await send(ann, id, { text: canaries[0], deep: { more: [canaries[0]] } }, { clientMsgId: 'm1', mentions: [bob.id] });
    expect(again.status).toBe(200);
    expect(sent(again).seq).toBe(seq);
    (await send(ann, id, 'other content', { clientMsgId: 'm1' })).refused('client_msg_id_reused');
    expect(await tablesWith(world.system.database, canaries[0])).toEqual([]);
    expect(await everyRead(world, bob, id, [seq])).not.toContain(canaries[0]);
  });

  it('takes its words out of replies, the list`s preview and the counts of mentions', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const quoted = await said(ann, id, 'quoted');
    const reply = await said(ann, id, 'the reply', { replyTo: quoted });
    const last = await said(ann, id, 'last', { mentions: [bob.id] });
    expect(await world.head(bob, id)).toMatchObject({ unread: 3, mentions: 1, lastMessage: { excerpt: 'last' } });
    (await redact(ann, id, quoted)).ok();
    (await redact(ann, id, last)).ok();
    expect((await entryOf(world, bob, id, reply))?.replyTo).toEqual({ seq: quoted, senderId: ann.id, excerpt: '', redacted: true });
    const head = await world.head(bob, id);
    // A tombstone counts as unread until it is read.
    expect(head).toMatchObject({ unread: 3, mentions: 0, lastMessage: { seq: last, excerpt: '', redacted: true } });
  });

  it('is for the author, and for moderators of a group or channel', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    const [mine, theirs] = [await said(bob, id, 'a'), await said(ann, id, 'b')];
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await redact(cem, id, mine)).refused('forbidden');
      (await redact(cem, id, theirs)).refused('forbidden');
    });
    (await put(ann, id, cem, 'moderator')).ok();
    (await redact(cem, id, theirs)).ok();
    (await redact(bob, id, mine)).ok();
    const direct = await world.create(ann, { type: 'direct', members: [bob] });
    const seq = await said(bob, direct.id, 'x');
    (await redact(ann, direct.id, seq)).refused('forbidden');
    (await redact(bob, direct.id, seq)).ok();
  });
});

describe('what was redacted', () => {
  it('takes nothing any more, and redacting it again changes nothing', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    (await redact(ann, id, seq)).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      expect((await redact(ann, id, seq)).ok()).toEqual({ seq: null, changed: false });
      (await edit(ann, id, seq, 'y')).refused('message_redacted');
      (await react(bob, id, seq, '👍')).refused('message_redacted');
      (await unreact(bob, id, seq, '👍')).refused('message_redacted');
      (await pin(ann, id, seq)).refused('message_redacted');
      (await unpin(ann, id, seq)).refused('message_redacted');
    });
  });

  it('cannot be a system entry, an acting entry, or what is not there', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    const acting = (await react(bob, id, seq, '👍')).ok().seq ?? 0;
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await redact(ann, id, 1)).refused('invalid_request');
      (await redact(bob, id, acting)).refused('invalid_request');
      (await redact(ann, id, acting + 1)).refused('not_found');
    });
  });
});

describe('the integrator', () => {
  it('redacts anything in the name of the system', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { type: 'direct', members: [bob] });
    const seq = await said(ann, id, 'x');
    const params = { conversationId: id, seq: String(seq) };
    const ask = () => world.http.call('adminRedactMessage', { token: world.system.app.serverKey, params });
    expect((await ask()).ok()).toEqual({ seq: 3, changed: true });
    expect((await ask()).ok()).toEqual({ seq: null, changed: false });
    expect(await entryOf(world, bob, id, seq)).toMatchObject({ redacted: true, body: null });
    expect(await entryOf(world, bob, id, 3)).toMatchObject({ type: 'message.redacted', senderId: '$system' });
  });
});
