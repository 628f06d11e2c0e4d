import { describe, expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import { entryOf } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, range, useWorld } from './support/world.ts';

const world = useWorld();
const { said, react, unreact, redact } = actsOn(() => world.http);

const listed = async (viewer: Person, id: string, seq: number, query: Record<string, string | number> = {}) =>
  (await world.http.call('listReactions', { token: viewer.token, params: { conversationId: id, seq: String(seq) }, query })).ok();
const rows = (id: string, seq: number) =>
  world.system.database.query<{ user_id: string; emoji: string }>(
    'select user_id, emoji from reaction where conversation_id = $1 and seq = $2',
    [id, seq],
  );
/** Emojis that stand side by side in Unicode, all different. */
const faces = range(0x1f600, 0x1f64f).map((point) => String.fromCodePoint(point));

describe('a reaction', () => {
  it('is an entry with the emoji`s whole state, folded into the message and into what is the viewer`s own', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    await world.entries(bob, id);
    expect((await react(bob, id, seq, '👍')).ok()).toEqual({ seq: 3, changed: true });
    (await react(ann, id, seq, '🎉')).ok();
    (await react(ann, id, seq, '👍')).ok();
    const state = [
      { emoji: '👍', count: 2, users: [bob.id, ann.id] },
      { emoji: '🎉', count: 1, users: [ann.id] },
    ];
    for (const [viewer, own] of [
      [ann, ['🎉', '👍']],
      [bob, ['👍']],
    ] as const) {
      const page = await world.entries(viewer, id, { after: 0 });
      expect(page.entries[1]).toMatchObject({ seq, reactions: state, stateSeq: 5, body: { text: 'x' } });
      expect(Object.keys(page.mine)).toEqual([String(seq)]);
      expect(page.mine[seq]?.toSorted()).toEqual([...own].toSorted());
      expect(page.entries.slice(2).map(({ type, target, senderId, body }) => ({ type, target, senderId, body }))).toEqual([
        { type: 'reaction.added', target: seq, senderId: bob.id, body: { emoji: '👍', count: 1, users: [bob.id] } },
        { type: 'reaction.added', target: seq, senderId: ann.id, body: { emoji: '🎉', count: 1, users: [ann.id] } },
        { type: 'reaction.added', target: seq, senderId: ann.id, body: { emoji: '👍', count: 2, users: [bob.id, ann.id] } },
      ]);
      const synced = (await world.sync(viewer, { conversations: { [id]: { after: 1 } } })).conversations[id];
      expect(synced).toMatchObject({ mine: page.mine, entries: [{ reactions: state }, {}, {}, {}] });
    }
  });

  it('is taken back with the state that stays; the last one goes with its emoji, and one that returns stands last', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    for (const emoji of ['👍', '🎉']) (await react(ann, id, seq, emoji)).ok();
    (await react(bob, id, seq, '👍')).ok();
    (await unreact(ann, id, seq, '👍')).ok();
    expect((await entryOf(world, ann, id, 6))?.body).toEqual({ emoji: '👍', count: 1, users: [bob.id] });
    (await unreact(bob, id, seq, '👍')).ok();
    expect(await entryOf(world, ann, id, 7)).toMatchObject({ type: 'reaction.removed', body: { emoji: '👍', count: 0, users: [] } });
    expect((await entryOf(world, ann, id, seq))?.reactions).toEqual([{ emoji: '🎉', count: 1, users: [ann.id] }]);
    (await react(bob, id, seq, '👍')).ok();
    expect((await entryOf(world, ann, id, seq))?.reactions?.map(({ emoji }) => emoji)).toEqual(['🎉', '👍']);
    for (const emoji of ['🎉', '👍']) for (const who of [ann, bob]) (await unreact(who, id, seq, emoji)).ok();
    const bare = await entryOf(world, ann, id, seq);
    expect(bare).not.toHaveProperty('reactions');
    expect((await world.entries(ann, id)).mine).toEqual({});
    expect(await rows(id, seq)).toEqual([]);
  });

  it('is one per user and emoji: again changes nothing, and so does taking back what is not there', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    (await react(bob, id, seq, '👍')).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      expect((await react(bob, id, seq, '👍')).ok()).toEqual({ seq: null, changed: false });
      expect((await unreact(bob, id, seq, '🎉')).ok()).toEqual({ seq: null, changed: false });
      expect((await unreact(ann, id, seq, '👍')).ok()).toEqual({ seq: null, changed: false });
    });
  });

  it('has one spelling: with and without the variation selector it is the same', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    (await react(ann, id, seq, '\u2764')).ok();
    expect((await react(ann, id, seq, '\u2764\uFE0F')).ok().changed).toBe(false);
    (await react(bob, id, seq, '\u2764\uFE0F')).ok();
    expect((await entryOf(world, ann, id, seq))?.reactions).toEqual([{ emoji: '\u2764\uFE0F', count: 2, users: [ann.id, bob.id] }]);
    expect((await listed(ann, id, seq, { emoji: '\u2764' })).items).toHaveLength(2);
    expect((await unreact(bob, id, seq, '\u2764')).ok().changed).toBe(true);
    for (const emoji of ['👩‍👩‍👧‍👦', '👍🏽', '🇩🇪', '3️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿']) {
      (await react(ann, id, seq, emoji)).ok();
      expect((await entryOf(world, ann, id, seq))?.reactions?.map((one) => one.emoji)).toContain(emoji);
    }
  });

  it.each(['a', '7', 'ok', '👍👍', '👍a', ' 👍', '👍 ', '👍🎉', '\u200D', '\uFE0F', 'é', '👍'.repeat(30), '<b>', '%00'])(
    'is refused for %j, which is not one emoji',
    async (emoji) => {
      const [ann] = await world.people('ann');
      const { id } = await world.create(ann);
      const seq = await said(ann, id, 'x');
      await leavesAllAsItWas(world.system.database, id, async () => {
        (await react(ann, id, seq, emoji)).refused('invalid_request');
        (await unreact(ann, id, seq, emoji)).refused('invalid_request');
      });
    },
  );

  it('is refused on system and acting entries, on what is not there and to strangers', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    const acting = (await react(bob, id, seq, '👍')).ok().seq ?? 0;
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (const target of [1, acting]) (await react(ann, id, target, '👍')).refused('invalid_request');
      (await react(ann, id, acting + 1, '👍')).refused('not_found');
      (await react(eve, id, seq, '👍')).refused('not_found');
      (await unreact(eve, id, seq, '👍')).refused('not_found');
    });
  });

  it('of a fifty-first kind is refused until one is gone; more of a kind that is there are not', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    for (const emoji of faces.slice(0, 50)) (await react(ann, id, seq, emoji)).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (const emoji of faces.slice(50)) (await react(bob, id, seq, emoji)).refused('limit_reached');
    });
    (await react(bob, id, seq, faces[49] ?? '')).ok();
    (await unreact(ann, id, seq, faces[0] ?? '')).ok();
    (await react(bob, id, seq, faces[50] ?? '')).ok();
    (await react(bob, id, seq, faces[51] ?? '')).refused('limit_reached');
    expect((await entryOf(world, ann, id, seq))?.reactions?.map(({ emoji }) => emoji)).toEqual(faces.slice(1, 51));
  }, 60_000);

  it('counts all and names the first ten; the eleventh moves up when one of them leaves', async () => {
    const crowd = await world.peopleOf(
      world.system.app,
      range(1, 13).map((n) => `reactor-${n}`),
    );
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann, { members: crowd });
    const seq = await said(ann, id, 'x');
    for (const who of crowd) (await react(who, id, seq, '👍')).ok();
    const names = crowd.map((who) => who.id);
    const shown = async () => (await entryOf(world, ann, id, seq))?.reactions;
    expect(await shown()).toEqual([{ emoji: '👍', count: 13, users: names.slice(0, 10) }]);
    // The eleventh and later ones find their own in `mine` although nobody names them.
    expect((await world.entries(crowd[12] ?? ann, id)).mine).toEqual({ [seq]: ['👍'] });
    (await unreact(crowd[3] ?? ann, id, seq, '👍')).ok();
    const left = names.filter((_, n) => n !== 3);
    expect(await shown()).toEqual([{ emoji: '👍', count: 12, users: left.slice(0, 10) }]);
    (await react(crowd[3] ?? ann, id, seq, '👍')).ok();
    expect(await shown()).toEqual([{ emoji: '👍', count: 13, users: left.slice(0, 10) }]);

    const pages: string[] = [];
    for (let cursor: string | null | undefined; ; ) {
      const page = await listed(ann, id, seq, { limit: 5, ...(cursor ? { cursor } : {}) });
      expect(page.items.length).toBeLessThanOrEqual(5);
      for (const { userId, emoji } of page.items) {
        expect(emoji).toBe('👍');
        pages.push(userId);
      }
      cursor = page.nextCursor;
      if (!cursor) break;
    }
    expect(pages).toEqual([...left, names[3]]);
  });
});

describe('GET …/reactions', () => {
  it('lists who reacted, in order of time within an emoji, of one emoji if asked, and nothing of a message without any', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    expect(await listed(ann, id, seq)).toEqual({ items: [] });
    (await react(bob, id, seq, '👍')).ok();
    (await react(ann, id, seq, '🎉')).ok();
    (await react(ann, id, seq, '👍')).ok();
    const all = (await listed(bob, id, seq)).items;
    expect(all.map(({ userId, emoji }) => [userId, emoji])).toEqual([
      [ann.id, '🎉'],
      [bob.id, '👍'],
      [ann.id, '👍'],
    ]);
    const { entries } = await world.entries(ann, id, { after: 2 });
    expect(new Set(all.map(({ createdAt }) => createdAt))).toEqual(new Set(entries.map(({ createdAt }) => createdAt)));
    expect((await listed(bob, id, seq, { emoji: '👍' })).items.map(({ userId }) => userId)).toEqual([bob.id, ann.id]);
    expect((await listed(bob, id, seq, { emoji: '🐟' })).items).toEqual([]);
    (await redact(ann, id, seq)).ok();
    expect((await listed(bob, id, seq)).items).toEqual([]);
  });

  it('is 404 for strangers and for seqs that are not there, 400 for what is no emoji or cursor', async () => {
    const [ann, eve] = await world.people('ann', 'eve');
    const { id } = await world.create(ann);
    const seq = await said(ann, id, 'x');
    const ask = (who: Person, at: number, query: Record<string, string> = {}) =>
      world.http.call('listReactions', { token: who.token, params: { conversationId: id, seq: String(at) }, query });
    (await ask(eve, seq)).refused('not_found');
    (await ask(ann, seq + 1)).refused('not_found');
    (await ask(ann, seq, { emoji: 'x' })).refused('invalid_request');
    (await ask(ann, seq, { cursor: 'never given out' })).refused('invalid_request');
  });
});
