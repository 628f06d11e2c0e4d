import { describe, expect, it } from 'vitest';
import { newCanary, tablesWith } from '../support/canary.ts';
import { waitFor } from '../support/wait-for.ts';
import { actsOn } from './support/acts.ts';
import { entryOf, everyRead } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, edit, react, pin, redact } = actsOn(() => world.http);

const after = (createdAt: string | null | undefined, seconds: number) =>
  new Date(Date.parse(createdAt ?? '') + seconds * 1_000).toISOString();

/** Moves the hour of a message's life to the one that ends now. */
const endNow = (id: string, seq: number) =>
  world.system.database.query(
    `update entry set created_at = created_at - interval '1 hour', expires_at = now() where conversation_id = $1 and seq = $2`,
    [id, seq],
  );

describe('an expiring message', () => {
  it('is a tombstone everywhere from its time on, without an entry that says so', async () => {
    const canary = newCanary();
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const { seq, createdAt } = (await send(ann, id, canary, { expiresIn: 8, clientMsgId: 'brief', mentions: [bob.id] })).ok(201);
    const expiresAt = after(createdAt, 8);
    expect(await entryOf(world, bob, id, seq)).toMatchObject({ expiresAt, body: { text: canary } });
    (await react(bob, id, seq, '👍')).ok();
    (await edit(ann, id, seq, { text: `${canary} again` }, { mentions: [bob.id] })).ok();
    expect(await entryOf(world, bob, id, 4)).toMatchObject({ type: 'message.edited', expiresAt, body: { text: `${canary} again` } });
    expect(await world.head(bob, id)).toMatchObject({ mentions: 1, lastMessage: { excerpt: `${canary} again` } });
    // Every cache holds it.
    expect(await everyRead(world, bob, id, [seq])).toContain(canary);

    const ended = async () => {
      const entry = await entryOf(world, bob, id, seq);
      return entry?.redacted && entry;
    };
    const gone = await waitFor('the message to end', ended, { timeoutMs: 20_000 });
    expect(gone).toEqual({
      seq,
      type: 'message',
      senderId: ann.id,
      createdAt,
      clientMsgId: 'brief',
      expiresAt,
      redacted: true,
      stateSeq: 4,
      body: null,
    });
    for (const who of [ann, bob]) {
      const ask = { token: who.token, params: { conversationId: id } };
      for (const answer of [
        await world.http.call('listEntries', { ...ask, query: { after: 0 } }),
        await world.http.call('listEntries', { ...ask, query: { before: 100 } }),
        await world.http.call('sync', { token: who.token, body: { conversations: { [id]: { after: 0 } }, heads: {} } }),
        await world.http.call('listHeads', { token: who.token }),
        await world.http.call('listPins', ask),
      ]) {
        expect(answer.text).not.toContain(canary);
      }
    }
    expect(await world.head(bob, id)).toMatchObject({
      lastSeq: 4,
      unread: 1,
      mentions: 0,
      lastMessage: { seq, excerpt: '', redacted: true },
    });
    await waitFor('the content to leave the tables', async () => (await tablesWith(world.system.database, canary)).length === 0, {
      timeoutMs: 25_000,
      intervalMs: 100,
    });
    expect(await everyRead(world, bob, id, [seq])).not.toContain(canary);
    expect((await entryOf(world, bob, id, seq))?.stateSeq).toBe(4);
    expect((await world.entries(bob, id)).head).toBe(4);
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await edit(ann, id, seq, 'back')).refused('message_redacted');
      (await react(bob, id, seq, '👍')).refused('message_redacted');
      (await pin(ann, id, seq)).refused('message_redacted');
      expect((await redact(ann, id, seq)).ok().changed).toBe(false);
      expect((await send(ann, id, canary, { expiresIn: 8, clientMsgId: 'brief', mentions: [bob.id] })).ok(200).seq).toBe(seq);
    });
  }, 60_000);

  it('takes nothing any more from that very time, before anything was cleaned up', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x', { expiresIn: 3_600 });
    await endNow(id, seq);
    (await edit(ann, id, seq, 'y')).refused('message_redacted');
    (await react(bob, id, seq, '👍')).refused('message_redacted');
    (await pin(ann, id, seq)).refused('message_redacted');
  });

  it('can be redacted before its time, and its pin ends with it', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const [redacted, pinned] = [await said(ann, id, 'a', { expiresIn: 3_600 }), await said(ann, id, 'b', { expiresIn: 3_600 })];
    (await redact(ann, id, redacted)).ok();
    expect(await entryOf(world, bob, id, redacted)).toMatchObject({ redacted: true, expiresAt: expect.any(String), body: null });
    (await pin(ann, id, pinned)).ok();
    await endNow(id, pinned);
    await waitFor('the pin to go', async () => {
      const { items } = (await world.http.call('listPins', { token: bob.token, params: { conversationId: id } })).ok();
      return items.every(({ entry }) => entry.redacted) && JSON.stringify(items).includes('"b"') === false;
    });
  });

  it('may be a custom entry; its life is whole seconds within the bound and part of what is sent', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await said(ann, id, {}, { type: 'custom.flash', expiresIn: 60, clientMsgId: 'm' });
    (await send(ann, id, {}, { type: 'custom.flash', expiresIn: 61, clientMsgId: 'm' })).refused('client_msg_id_reused');
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (const expiresIn of [0, -1, 1.5, '60', 366 * 24 * 3_600 + 1]) {
        (await send(ann, id, 'x', { expiresIn })).refused('invalid_request');
      }
    });
  });
});
