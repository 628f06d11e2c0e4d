import { describe, expect, it } from 'vitest';
import { newCanary } from '../support/canary.ts';
import { actsOn } from './support/acts.ts';
import { entryOf } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, seqs, useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, edit, redact, react, unreact, pin, unpin, put, remove, mark } = actsOn(() => world.http);

/** Everything a member can ask about a conversation, as one text; refusals count as answers too. */
async function whole(viewer: Person, id: string, about: readonly number[]): Promise<string> {
  const ask = { token: viewer.token, params: { conversationId: id } };
  const { http } = world;
  const answers: { readonly text: string }[] = [
    await http.call('listEntries', ask),
    await http.call('listEntries', { ...ask, query: { after: 0, limit: 200 } }),
    await http.call('listEntries', { ...ask, query: { before: 1_000_000, limit: 200 } }),
    await http.call('sync', { token: viewer.token, body: { conversations: { [id]: { after: 0 } }, feed: { after: 0 }, heads: {} } }),
    await http.call('listHeads', { token: viewer.token }),
    await http.call('getConversation', ask),
    await http.call('listPins', ask),
    await http.call('listReceipts', ask),
  ];
  for (const seq of about) {
    answers.push(await http.call('listReactions', { token: viewer.token, params: { conversationId: id, seq: String(seq) } }));
    answers.push(await http.call('listEntries', { ...ask, query: { after: seq - 1, limit: 1 } }));
    answers.push(await http.call('listEntries', { ...ask, query: { before: seq + 1, limit: 1 } }));
  }
  return answers.map(({ text }) => text).join('\n');
}

describe('with history since_join', () => {
  it('what acts on hidden entries is seq, type and target alone, and a quotation of one is its seq', async () => {
    const canary = newCanary();
    const emoji = '🦩';
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [cem], history: 'since_join' });
    const old = await said(ann, id, canary);
    const pinned = await said(ann, id, `${canary} pinned`);
    const doomed = await said(ann, id, `${canary} doomed`);
    (await react(cem, id, old, emoji)).ok();
    (await pin(ann, id, pinned)).ok();
    const joined = (await put(ann, id, bob)).ok().seq ?? 0;
    // Pages of those who see everything are warm.
    await whole(ann, id, [old, pinned]);
    const reply = await said(ann, id, 'a reply', { replyTo: old });
    const acting: number[] = [];
    for (const act of [
      () => edit(ann, id, old, `${canary} edited`, { mentions: [bob.id] }),
      () => react(ann, id, old, emoji),
      () => unreact(ann, id, old, emoji),
      () => pin(ann, id, old),
      () => unpin(ann, id, old),
      () => redact(ann, id, doomed),
    ]) {
      acting.push((await act()).ok().seq ?? 0);
    }
    const types = ['message.edited', 'reaction.added', 'reaction.removed', 'message.pinned', 'message.unpinned', 'message.redacted'];
    const masked = acting.map((seq, n) => ({ seq, type: types[n], target: n === 5 ? doomed : old }));
    for (const query of [{}, { after: 0 }, { before: (acting.at(-1) ?? 0) + 1 }, { after: joined - 1, min: acting.at(-1) ?? 0 }]) {
      const page = await world.entries(bob, id, query);
      expect({ first: seqs(page.entries)[0], oldest: page.oldestSeq }).toEqual({ first: joined, oldest: joined });
      expect(page.entries.slice(2)).toEqual(masked);
      expect(page.entries[1]).toMatchObject({ seq: reply, replyTo: { seq: old } });
      expect(Object.keys(page.entries[1]?.replyTo ?? {})).toEqual(['seq']);
    }
    expect((await world.sync(bob, { conversations: { [id]: { after: reply } } })).conversations[id]).toMatchObject({ entries: masked });
    // Those who see everything are not served the masked text, whoever asked last.
    expect(await entryOf(world, cem, id, acting[0] ?? 0)).toMatchObject({ senderId: ann.id, body: { text: `${canary} edited` } });
    expect((await entryOf(world, cem, id, reply))?.replyTo).toMatchObject({ senderId: ann.id, excerpt: `${canary} edited` });

    const text = await whole(bob, id, [old, pinned, doomed, reply]);
    expect(text).not.toContain(canary);
    expect(text).not.toContain(emoji);
    expect((await world.http.call('listPins', { token: bob.token, params: { conversationId: id } })).ok()).toEqual({ items: [], mine: {} });
    expect(await world.head(bob, id)).toMatchObject({ unread: 1, mentions: 0, lastMessage: { seq: reply } });
  });

  it('no route tells a hidden entry from one that is not there, nor takes anything for it', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { history: 'since_join' });
    const hidden = await said(ann, id, 'hidden');
    (await put(ann, id, bob)).ok();
    (await put(ann, id, bob, 'moderator')).ok();
    const seq = await said(bob, id, 'own');
    const missing = 1_000;
    await leavesAllAsItWas(world.system.database, id, async () => {
      const problems: unknown[][] = [];
      for (const target of [hidden, missing]) {
        const answers = [
          (await edit(bob, id, target, 'x')).refused('not_found'),
          (await redact(bob, id, target)).refused('not_found'),
          (await react(bob, id, target, '👍')).refused('not_found'),
          (await unreact(bob, id, target, '👍')).refused('not_found'),
          (await pin(bob, id, target)).refused('not_found'),
          (await unpin(bob, id, target)).refused('not_found'),
          (await send(bob, id, 'x', { replyTo: target })).refused('invalid_request'),
          (await world.http.call('listReactions', { token: bob.token, params: { conversationId: id, seq: String(target) } })).refused(
            'not_found',
          ),
        ];
        problems.push(answers.map((problem) => ({ ...problem, requestId: '' })));
      }
      expect(problems[0]).toEqual(problems[1]);
    });
    // How many have read what is hidden is not the viewer's, and nobody's position is shown below its start.
    const receipts = (query: Record<string, number>) =>
      world.http.call('listReceipts', { token: bob.token, params: { conversationId: id }, query });
    (await receipts({ seq: hidden })).refused('not_found');
    const start = (await world.entries(bob, id)).oldestSeq;
    for (const { readSeq, deliveredSeq } of (await receipts({})).ok().items) {
      expect([readSeq >= start || readSeq === 0 || readSeq === start - 1, deliveredSeq >= start - 1 || deliveredSeq === 0]).toEqual([
        true,
        true,
      ]);
    }
    (await react(bob, id, seq, '👍')).ok();
  });

  it('the list shows no preview from before one joined, and reactions of those who see are the same for all', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { history: 'since_join' });
    await said(ann, id, 'hidden');
    (await put(ann, id, bob)).ok();
    expect(await world.head(bob, id)).toMatchObject({ lastMessage: null, unread: 0 });
    const seq = await said(ann, id, 'seen');
    (await react(ann, id, seq, '👍')).ok();
    expect(await entryOf(world, bob, id, seq)).toMatchObject({ reactions: [{ emoji: '👍', count: 1, users: [ann.id] }] });
  });

  it('a rejoin hides what was seen and written before, also from what acts on it', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob], history: 'since_join' });
    const own = await said(bob, id, 'mine');
    (await react(bob, id, own, '👍')).ok();
    (await remove(bob, id, 'me')).ok();
    const between = await said(ann, id, 'between', { replyTo: own });
    const joined = (await put(ann, id, bob)).ok().seq ?? 0;
    (await edit(ann, id, between, 'between, edited')).ok();
    const page = await world.entries(bob, id, { after: 0 });
    expect(page.entries).toMatchObject([{ seq: joined }, { seq: joined + 1, type: 'message.edited', target: between }]);
    expect(Object.keys(page.entries[1] ?? {})).toEqual(['seq', 'type', 'target']);
    expect(page.mine).toEqual({});
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await edit(bob, id, own, 'changed')).refused('not_found');
      (await redact(bob, id, own)).refused('not_found');
      (await unreact(bob, id, own, '👍')).refused('not_found');
    });
    expect((await mark(bob, id, joined)).ok().unread).toBe(0);
  });
});
