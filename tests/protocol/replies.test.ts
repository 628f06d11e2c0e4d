import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { actsOn } from './support/acts.ts';
import { entryOf } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, edit, redact, react } = actsOn(() => world.http);

describe('a reply', () => {
  it('shows whom and what it quotes, and is never as it was sent', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const quoted = await said(ann, id, 'a question');
    const answer = (await send(bob, id, 'an answer', { replyTo: quoted, clientMsgId: 'r' })).ok(201);
    expect(answer).toMatchObject({ seq: 3, asSent: false });
    expect(await entryOf(world, ann, id, 3)).toEqual({
      seq: 3,
      type: 'message',
      senderId: bob.id,
      createdAt: answer.createdAt,
      clientMsgId: 'r',
      replyTo: { seq: quoted, senderId: ann.id, excerpt: 'a question' },
      body: { text: 'an answer' },
    });
    // The quotation is part of what makes a send the same.
    expect((await send(bob, id, 'an answer', { replyTo: quoted, clientMsgId: 'r' })).ok(200).seq).toBe(3);
    (await send(bob, id, 'an answer', { clientMsgId: 'r' })).refused('client_msg_id_reused');
    expect((await send(bob, id, 'plain')).ok(201).asSent).toBe(true);
  });

  it.each([
    ['a short text', { text: 'short' }, 'short'],
    ['140 characters', { text: 'x'.repeat(140) }, 'x'.repeat(140)],
    ['141 characters', { text: 'x'.repeat(141) }, 'x'.repeat(140)],
    ['characters outside the first plane', { text: '👋🏽'.repeat(100) }, '👋🏽'.repeat(70)],
    ['quotes and control characters', { text: '"\\\n\t\u0001 ä' }, '"\\\n\t\u0001 ä'],
    ['no text', { card: 7 }, ''],
    ['a text that is none', { text: { deep: 'x' } }, ''],
    ['a number as text', { text: 7 }, ''],
    ['a null as text', { text: null }, ''],
  ])('quotes %s', async (_, body, excerpt) => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const quoted = await said(ann, id, body);
    const seq = await said(ann, id, 'reply', { replyTo: quoted });
    expect((await entryOf(world, ann, id, seq))?.replyTo).toEqual({ seq: quoted, senderId: ann.id, excerpt });
  });

  it('follows the edits, the redaction and the end of what it quotes, on every path and in every cache', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const quoted = await said(ann, id, 'one');
    const seq = await said(bob, id, 'reply', { replyTo: quoted });
    const shown = async () => {
      const page = (await world.entries(ann, id, { after: 0 })).entries.find((entry) => entry.seq === seq)?.replyTo;
      const newest = (await world.entries(bob, id)).entries.find((entry) => entry.seq === seq)?.replyTo;
      const synced = (await world.sync(bob, { conversations: { [id]: { after: seq - 1 } } })).conversations[id];
      expect(newest).toEqual(page);
      expect(synced).toMatchObject({ entries: expect.arrayContaining([expect.objectContaining({ seq, replyTo: page })]) });
      return page;
    };
    expect(await shown()).toEqual({ seq: quoted, senderId: ann.id, excerpt: 'one' });
    (await edit(ann, id, quoted, 'two')).ok();
    expect(await shown()).toEqual({ seq: quoted, senderId: ann.id, excerpt: 'two' });
    (await redact(ann, id, quoted)).ok();
    expect(await shown()).toEqual({ seq: quoted, senderId: ann.id, excerpt: '', redacted: true });

    const brief = (await send(ann, id, 'brief', { expiresIn: 8 })).ok(201);
    const late = await said(bob, id, 'reply', { replyTo: brief.seq });
    const expiresAt = new Date(Date.parse(brief.createdAt) + 8_000).toISOString();
    expect((await entryOf(world, ann, id, late))?.replyTo).toEqual({ seq: brief.seq, senderId: ann.id, excerpt: 'brief', expiresAt });
    const ended = async () => {
      const reply = (await entryOf(world, ann, id, late))?.replyTo;
      return reply?.redacted && reply;
    };
    const after = await waitFor('the quotation to end', ended, { timeoutMs: 20_000 });
    expect(after).toEqual({ seq: brief.seq, senderId: ann.id, excerpt: '', expiresAt, redacted: true });
  });

  it('to a redacted message or a reply is allowed, and goes with its own redaction', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const quoted = await said(ann, id, 'x');
    (await redact(ann, id, quoted)).ok();
    const reply = await said(ann, id, 'reply', { replyTo: quoted });
    expect((await entryOf(world, ann, id, reply))?.replyTo).toEqual({ seq: quoted, senderId: ann.id, excerpt: '', redacted: true });
    const second = await said(ann, id, 'again', { replyTo: reply });
    expect((await entryOf(world, ann, id, second))?.replyTo).toEqual({ seq: reply, senderId: ann.id, excerpt: 'reply' });
    (await redact(ann, id, second)).ok();
    expect(await entryOf(world, ann, id, second)).not.toHaveProperty('replyTo');
  });

  it('keeps what it quotes when it is edited, and can be a custom entry', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const quoted = await said(ann, id, { text: 'poll?' }, { type: 'custom.poll' });
    const reply = await said(ann, id, 'one', { replyTo: quoted, type: 'custom.vote' });
    (await edit(ann, id, reply, 'two')).ok();
    expect(await entryOf(world, ann, id, reply)).toMatchObject({
      type: 'custom.vote',
      body: { text: 'two' },
      replyTo: { seq: quoted, excerpt: 'poll?' },
    });
  });

  it('to what is missing, not there yet, written by the system or acting is refused and names the field', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    const acting = (await react(bob, id, seq, '👍')).ok().seq ?? 0;
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (const replyTo of [1, acting, acting + 1, acting + 2, Number.MAX_SAFE_INTEGER]) {
        const problem = (await send(ann, id, 'reply', { replyTo })).refused('invalid_request');
        expect(JSON.stringify(problem), String(replyTo)).toContain('replyTo');
      }
      for (const replyTo of [0, -1, 1.5, '2', true]) (await send(ann, id, 'reply', { replyTo })).refused('invalid_request');
    });
  });
});
