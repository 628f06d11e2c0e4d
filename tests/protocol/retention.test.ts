import { describe, expect, it } from 'vitest';
import { newCanary, tablesWith } from '../support/canary.ts';
import { waitFor } from '../support/wait-for.ts';
import { actsOn } from './support/acts.ts';
import { everyRead } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, seqs, useWorld } from './support/world.ts';

/** The job that comes once a minute comes every other second here. */
const world = useWorld({
  compose: { api: { jobs: { pollMs: 500, expirySeconds: 5, retentionSeconds: 2, sweepSeconds: 30, sweepAgeMs: 30_000 } } },
});
const { said, send, edit, react, redact, pin, mark, update } = actsOn(() => world.http);

const oldestOf = async (who: Person, id: string) =>
  (await world.http.call('getConversation', { token: who.token, params: { conversationId: id } })).ok().conversation.oldestSeq;

/** Makes all entries up to `seq` an hour older than they are: what a test need not wait for. */
const age = (id: string, seq: number) =>
  world.system.database.query(`update entry set created_at = created_at - interval '1 hour' where conversation_id = $1 and seq <= $2`, [
    id,
    seq,
  ]);

describe('retention', () => {
  it('takes the content of what is older for ever, moves oldestSeq past it, and says so to cursors below', async () => {
    const canary = newCanary();
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const old = await said(ann, id, canary, { clientMsgId: 'old', mentions: [bob.id] });
    const last = await said(ann, id, { text: canary, more: canary }, { mentions: [bob.id] });
    (await react(bob, id, last, '👍')).ok();
    (await pin(ann, id, last)).ok();
    const young = await said(ann, id, 'young', { replyTo: old, mentions: [bob.id] });
    // An edit that is young of a message that is old.
    (await edit(ann, id, old, { text: `${canary} again` })).ok();
    (await update(ann, id, { retentionSeconds: 600 })).ok();
    expect(await world.head(bob, id)).toMatchObject({ unread: 3, mentions: 2 });
    for (const who of [ann, bob]) expect(await everyRead(world, who, id, [old, last])).toContain(canary);
    expect(await tablesWith(world.system.database, canary)).not.toEqual([]);

    await age(id, young - 1);
    await waitFor('the oldest seq to move', async () => (await oldestOf(bob, id)) === young, { timeoutMs: 90_000, intervalMs: 200 });
    await waitFor('the content to go', async () => (await tablesWith(world.system.database, canary)).length === 0, {
      timeoutMs: 20_000,
      intervalMs: 200,
    });
    for (const who of [ann, bob]) {
      const page = await world.entries(who, id, { after: 0 });
      expect({ first: seqs(page.entries)[0], oldest: page.oldestSeq }).toEqual({ first: young, oldest: young });
      expect(page.entries[0]?.replyTo).toEqual({ seq: old });
      expect(page.entries[1]).toEqual({ seq: young + 1, type: 'message.edited', target: old });
      expect((await world.entries(who, id, { before: young })).entries).toEqual([]);
      const synced = (await world.sync(who, { conversations: { [id]: { after: 1 } } })).conversations[id];
      expect(synced).toMatchObject({ oldestSeq: young, tooLong: { snapshotSeq: page.head, oldestSeq: young } });
      expect((await world.http.call('listPins', { token: who.token, params: { conversationId: id } })).ok().items).toEqual([]);
      const answers = [await world.http.call('listEntries', { token: who.token, params: { conversationId: id } })];
      answers.push(await world.http.call('listEntries', { token: who.token, params: { conversationId: id }, query: { after: 0 } }));
      for (const { text } of answers) expect(text).not.toContain(canary);
    }
    // What nobody can read any more counts no more.
    expect(await world.head(bob, id)).toMatchObject({ unread: 1, mentions: 1 });
    expect((await mark(bob, id, young)).ok()).toEqual({ readSeq: young, unread: 0 });
    // Sends are idempotent for ever.
    expect((await send(ann, id, canary, { clientMsgId: 'old', mentions: [bob.id] })).ok(200).seq).toBe(old);
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (const target of [old, last]) {
        (await edit(ann, id, target, 'back')).refused('not_found');
        (await redact(ann, id, target)).refused('not_found');
        (await react(bob, id, target, '👍')).refused('not_found');
        (await pin(ann, id, target)).refused('not_found');
        (await send(bob, id, 'reply', { replyTo: target })).refused('invalid_request');
      }
    });
    // The log goes on where it stood.
    const head = (await world.entries(bob, id)).head;
    expect(await said(bob, id, 'on')).toBe(head + 1);
  }, 120_000);
});
