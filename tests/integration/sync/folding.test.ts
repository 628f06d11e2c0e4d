import { entriesAfter, ownReactions, retainConversations } from '@nudge/db';
import { ManualClock } from '@nudge/server-kit/testing';
import type { SyncStores } from '@nudge/sync';
import { type Entry, syncAnswerSchema } from '@nudge/types';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { createWorld, range, type SyncServer, sayMembersChanged, seqs, type World } from './support/sync-server.ts';

let world: World;
let server: SyncServer;
/** Statements since the last look. */
const asked = { pages: 0, reactions: 0 };
beforeAll(async () => {
  world = await createWorld();
  server = await world.serve({ stores: (stores) => counted(stores) });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

function counted(stores: SyncStores): SyncStores {
  const { pool, group } = stores.router.route('');
  const { primary } = pool;
  const servers = {
    ...pool,
    primary: {
      ...primary,
      readPages: (reads: Parameters<typeof primary.readPages>[0]) => {
        asked.pages += 1;
        return primary.readPages(reads);
      },
      readOwnReactions: (userId: string, entries: Parameters<typeof primary.readOwnReactions>[1]) => {
        asked.reactions += 1;
        return primary.readOwnReactions(userId, entries);
      },
    },
  };
  return { ...stores, router: { route: () => ({ pool: servers, group }) } };
}

function statements(): { pages: number; reactions: number } {
  const since = { ...asked };
  asked.pages = 0;
  asked.reactions = 0;
  return since;
}

/** The log and one user's reactions as the database shows them now. */
async function truth(id: string, userId: string) {
  const [page] = await entriesAfter(world.pool, [{ conversationId: id, after: 0, limit: 1000 }]);
  const entries = (page?.rows ?? []).map(({ text }) => JSON.parse(text) as Entry);
  const reacted = entries.filter(({ reactions }) => reactions != null).map(({ seq }) => seq);
  const own = await ownReactions(world.pool, userId, [{ conversationId: id, seqs: reacted }]);
  return { head: page?.lastSeq ?? 0, entries, mine: sorted(Object.fromEntries(own.map(({ seq, emojis }) => [seq, emojis]))) };
}

const sorted = (mine: Readonly<Record<string, readonly string[]>>) =>
  Object.fromEntries(Object.entries(mine).map(([seq, emojis]) => [seq, [...emojis].sort()]));

type Step =
  | { readonly do: 'say'; readonly by: string; readonly quotes: number; readonly mentions: readonly string[] }
  | { readonly do: 'edit' | 'redact' | 'pin' | 'unpin'; readonly pick: number }
  | { readonly do: 'react' | 'unreact'; readonly by: string; readonly pick: number; readonly emoji: string };

const nat = fc.nat({ max: 6 });
const by = fc.constantFrom('ann', 'bob');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('say' as const), by, quotes: nat, mentions: fc.subarray(['ann', 'bob']) }),
  fc.record({ do: fc.constantFrom('edit' as const, 'edit' as const, 'redact' as const, 'pin' as const, 'unpin' as const), pick: nat }),
  fc.record({
    do: fc.constantFrom('react' as const, 'react' as const, 'unreact' as const),
    by,
    pick: nat,
    emoji: fc.constantFrom('👍', '🎉'),
  }),
);

/** Does a step by the owner, who may do all of it; on a message that is there and has not been redacted. */
async function take(id: string, one: Step, open: { seq: number; by: string }[]): Promise<void> {
  const target = open[open.length - 1 - ('pick' in one ? one.pick : one.quotes)];
  if (one.do === 'say') {
    const extra = { mentions: one.mentions, ...(target === undefined ? {} : { replyTo: target.seq }) };
    open.push({ seq: await world.say(id, one.by, `said by ${one.by}`, extra), by: one.by });
  } else if (target === undefined) return;
  else if (one.do === 'edit') await world.act(id, target.by, 'message.edited', target.seq, { text: `edit ${one.pick} of ${open.length}` });
  else if (one.do === 'redact') {
    await world.act(id, target.by, 'message.redacted', target.seq);
    open.splice(open.indexOf(target), 1);
  } else if ('emoji' in one) {
    await world.act(id, one.by, one.do === 'react' ? 'reaction.added' : 'reaction.removed', target.seq, { emoji: one.emoji });
  } else await world.act(id, 'ann', one.do === 'pin' ? 'message.pinned' : 'message.unpinned', target.seq);
}

test('whatever is done to messages, what a warm tail answers is what the database shows', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30, size: 'max' }), async (steps) => {
      const id = await world.conversation(['ann', 'bob']);
      const open: { seq: number; by: string }[] = [];
      for (const [i, one] of steps.entries()) {
        await take(id, one, open);
        const userId = i % 2 === 0 ? 'ann' : 'bob';
        const reader = server.as(userId);
        const { head, entries, mine } = await truth(id, userId);
        const pull = await reader.entries(id, `?after=0&min=${head}&limit=200`);
        expect({ ...pull.body, mine: sorted(pull.body.mine) }).toEqual({ epoch: 1, entries, mine, head, oldestSeq: 1, more: false });
        const back = await reader.entries(id, `?before=${head}&min=${head}&limit=3`);
        expect(back.body.entries).toEqual(entries.slice(-4, -1));
        const { body } = await reader.sync({ conversations: { [id]: { after: 0, min: head } } });
        const delta = syncAnswerSchema.parse(body).conversations[id];
        if (delta === undefined || 'error' in delta) throw new Error('the log was not answered');
        expect({ ...delta, mine: sorted(delta.mine) }).toEqual({ entries, mine, head, oldestSeq: 1, more: false });
      }
    }),
    { numRuns: 8 },
  );
});

test('a reaction costs the devices behind it one statement together, and those who are not behind none; own reactions that are named are not asked', async () => {
  const id = await world.conversation(['ann', 'bob']);
  const head = await world.send(id, 'ann', 20);
  const bob = server.as('bob');
  for (let i = 0; i < 3; i += 1) await bob.entries(id, `?after=0&min=${head}`);
  statements();
  await Promise.all(range(1, 10).map(() => bob.entries(id, `?after=5&min=${head}`)));
  expect(statements()).toEqual({ pages: 0, reactions: 0 });
  const reacted = (await world.act(id, 'bob', 'reaction.added', 8, { emoji: '👍' })) ?? 0;
  expect((await bob.entries(id, `?after=${head}&min=${reacted}`)).body).toMatchObject({
    mine: {},
    entries: [{ type: 'reaction.added', target: 8 }],
  });
  expect(statements()).toEqual({ pages: 1, reactions: 0 });
  await Promise.all(range(1, 10).map((i) => bob.entries(id, `?after=${8 + i}&min=${reacted}`)));
  expect(statements()).toEqual({ pages: 0, reactions: 0 });
  const behind = await Promise.all(range(1, 7).map((i) => bob.entries(id, `?after=${i}&min=${reacted}`)));
  for (const { body } of behind) expect(body.mine).toEqual({ 8: ['👍'] });
  expect(statements()).toEqual({ pages: 1, reactions: 0 });
  const other = await world.conversation(['bob']);
  await world.act(other, 'bob', 'reaction.added', await world.send(other, 'bob'), { emoji: '🎉' });
  const { body } = await bob.sync({ conversations: { [id]: { after: 0 }, [other]: { after: 0 } } });
  expect([body.conversations[id], body.conversations[other]]).toMatchObject([{ mine: { 8: ['👍'] } }, { mine: { 2: ['🎉'] } }]);
  expect(statements().reactions).toBe(0);
  expect((await server.as('ann').entries(id, '?after=7&limit=1')).body).toMatchObject({
    mine: {},
    entries: [{ seq: 8, reactions: [{ emoji: '👍', count: 1, users: ['bob'] }] }],
  });
});

test('own reactions among more than an entry names are asked, for all logs at once', async () => {
  const users = range(1, 12).map((i) => `user${i}`);
  const ids = [await world.conversation(['ann', ...users]), await world.conversation(['ann', ...users])];
  for (const id of ids) {
    await world.send(id, 'ann');
    for (const userId of users) await world.act(id, userId, 'reaction.added', 2, { emoji: '👍' });
  }
  const cursors = Object.fromEntries(ids.map((id) => [id, { after: 0, min: 14 }]));
  for (const [userId, mine, cost] of [
    ['user1', { 2: ['👍'] }, 0],
    ['user12', { 2: ['👍'] }, 1],
    ['ann', {}, 1],
  ] as const) {
    const reader = server.as(userId);
    statements();
    const { body } = await reader.sync({ conversations: cursors });
    for (const id of ids) expect(body.conversations[id]).toMatchObject({ mine });
    expect([userId, statements().reactions]).toEqual([userId, cost]);
    for (const id of ids) expect((await reader.entries(id, '?after=0&min=14')).body.mine).toEqual(mine);
    expect([userId, statements().reactions]).toEqual([userId, 2 * cost]);
  }
});

test('who joined later learns of what lies before only that something was done to it', async () => {
  const id = await world.conversation(['ann', 'bob'], { history: 'since_join' });
  const old = await world.say(id, 'ann', 'canary-before');
  const joined = await world.put(id, 'ann', 'dan');
  const reply = await world.say(id, 'bob', 'an answer', { replyTo: old, mentions: ['dan'] });
  const edited = (await world.act(id, 'ann', 'message.edited', old, { text: 'canary-edited' }, { mentions: ['bob'] })) ?? 0;
  await world.act(id, 'bob', 'reaction.added', old, { emoji: '👍' });
  await world.act(id, 'ann', 'message.pinned', old);
  await world.act(id, 'ann', 'message.pinned', reply);
  const head = (await world.act(id, 'bob', 'reaction.added', reply, { emoji: '🎉' })) ?? 0;
  const dan = server.as('dan');
  const answers = [];
  for (let i = 0; i < 3; i += 1) {
    const { body, text } = await dan.entries(id, `?after=0&min=${head}`);
    expect(seqs(body)).toEqual(range(joined, head));
    expect(body.entries[1]).toMatchObject({
      seq: reply,
      senderId: 'bob',
      replyTo: { seq: old },
      mentions: ['dan'],
      body: { text: 'an answer' },
    });
    expect(Object.keys(body.entries[1]?.replyTo ?? {})).toEqual(['seq']);
    expect(body.entries.slice(2, 5)).toEqual([
      { seq: edited, type: 'message.edited', target: old },
      { seq: edited + 1, type: 'reaction.added', target: old },
      { seq: edited + 2, type: 'message.pinned', target: old },
    ]);
    const sync = await dan.sync({ conversations: { [id]: { after: joined - 1, min: head } } });
    expect(sync.body.conversations[id]).toMatchObject({ entries: body.entries, oldestSeq: joined });
    const pins = await dan.get<{ items: { entry: Entry }[] }>(`/v1/sync/conversations/${id}/pins`);
    expect(pins.body.items).toMatchObject([{ entry: { seq: reply, replyTo: { seq: old } }, pinnedBy: 'ann' }]);
    answers.push(text, sync.text, pins.text);
    const bob = (await server.as('bob').entries(id, `?after=0&min=${head}`)).body;
    expect(bob.entries[old - 1]).toMatchObject({ body: { text: 'canary-edited' }, pinned: true });
    expect(bob.entries[reply - 1]).toMatchObject({ replyTo: { seq: old, excerpt: 'canary-edited' } });
  }
  expect(answers.join()).not.toContain('canary');
});

test('what expires is gone from a warm tail on time, from what quotes it too, without a message to say so', async () => {
  const clock = new ManualClock(Date.now());
  await using punctual = await world.serve({ stores: (stores) => counted(stores), clock });
  const id = await world.conversation(['ann', 'bob']);
  const short = await world.say(id, 'ann', 'canary-short', { expiresInSeconds: 60 });
  const long = await world.say(id, 'ann', 'stays', { expiresInSeconds: 3600 });
  const head = await world.say(id, 'bob', 'an answer', { replyTo: short });
  const bob = punctual.as('bob');
  const pull = () => bob.entries(id, `?after=1&min=${head}`);
  for (let i = 0; i < 3; i += 1) expect((await pull()).text).toContain('canary-short');
  // Its time comes for the database and for the tail.
  await world.database.query('update entry set expires_at = now() where conversation_id = $1 and seq = $2', [id, short]);
  expect((await pull()).text).toContain('canary-short');
  clock.advance(600_000);
  expect((await pull()).text).not.toContain('canary');
  const { body } = await pull();
  expect(body.entries).toMatchObject([
    { seq: short, redacted: true, body: null },
    { seq: long, body: { text: 'stays' } },
    { seq: head, replyTo: { seq: short, excerpt: '', redacted: true } },
  ]);
  await waitFor('the tail to serve again', async () => {
    statements();
    await pull();
    return statements().pages === 0;
  });
});

test('what retention takes is gone once copies are told, and a cursor below is told where the log begins', async () => {
  const id = await world.conversation(['ann', 'bob']);
  const old = await world.say(id, 'ann', 'canary-old');
  const head = await world.say(id, 'bob', 'an answer', { replyTo: old });
  const bob = server.as('bob');
  for (let i = 0; i < 3; i += 1) expect((await bob.entries(id, `?after=0&min=${head}`)).text).toContain('canary-old');
  await world.act(id, 'ann', 'conversation.updated', null, { retentionSeconds: 3600 });
  await world.database.query(`update entry set created_at = created_at - interval '2 hours' where conversation_id = $1 and seq <= $2`, [
    id,
    old,
  ]);
  const { touched } = await retainConversations(world.pool, { limit: 10, chunk: 100 });
  expect(touched).toMatchObject([{ conversationId: id }]);
  await sayMembersChanged(server, id, touched[0]?.memberVersion ?? 0, head + 1);
  const { text, body } = await bob.entries(id, `?after=0&min=${head}`);
  expect([seqs(body), body.oldestSeq]).toEqual([[head, head + 1], head]);
  expect(body.entries[0]).toMatchObject({ replyTo: { seq: old } });
  expect(text).not.toContain('canary');
  const sync = await bob.sync({ conversations: { [id]: { after: 1 } } });
  expect(sync.body.conversations[id]).toMatchObject({ tooLong: { snapshotSeq: head + 1, oldestSeq: head }, oldestSeq: head });
  expect((await bob.sync({ conversations: { [id]: { after: head - 1 } } })).body.conversations[id]).not.toHaveProperty('tooLong');
});
