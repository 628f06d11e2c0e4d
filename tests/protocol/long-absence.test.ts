import { viewOf } from '@nudge/client';
import { expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import { seqs, useWorld } from './support/world.ts';

const world = useWorld({ env: { LIMIT_TOO_LONG_ENTRIES: '30' } });
const { said, edit, redact, react, put, remove, mark } = actsOn(() => world.http);

it('one sync brings a device that was off for a year to where a fresh one stands', async () => {
  const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
  const busy = (await world.create(ann, { members: [bob] })).id;
  const quiet = (await world.create(ann, { members: [bob] })).id;
  const left = (await world.create(ann, { members: [bob] })).id;
  const unnamed = (await world.create(ann, { members: [bob] })).id;
  const before = await world.sync(bob, { feed: { after: 0 }, heads: {} });

  const early = await said(ann, busy, 'early');
  await world.sendMany(ann, busy, 40);
  const doomed = await said(ann, busy, 'doomed', { mentions: [bob.id] });
  const kept = await said(ann, busy, 'kept', { mentions: [bob.id] });
  (await edit(ann, busy, early, 'changed')).ok();
  (await react(bob, busy, kept, '👍')).ok();
  (await redact(ann, busy, doomed)).ok();
  (await mark(bob, busy, kept - 5)).ok();
  const word = await said(ann, quiet, 'one word');
  (await world.http.call('updatePreferences', { token: bob.token, params: { conversationId: quiet }, body: { pinned: true } })).ok();
  (await remove(ann, left, bob)).ok();
  await world.sendMany(ann, unnamed, 2);
  const joined = (await world.create(ann, { members: [cem] })).id;
  (await put(ann, joined, bob)).ok();

  const conversations = { [busy]: { after: 1 }, [quiet]: { after: 1 }, [left]: { after: 1 } };
  const answer = await world.sync(bob, { feed: { after: before.feed?.version ?? 0 }, conversations, heads: {} });
  const fresh = await world.entries(bob, busy);
  const log = answer.conversations[busy];
  if (log === undefined || 'error' in log) throw new Error('no answer for the busy one');
  expect(log).toMatchObject({ more: false, head: fresh.head, tooLong: { snapshotSeq: fresh.head, oldestSeq: 1 } });
  expect(log.entries.at(-1)?.seq).toBe(fresh.head);
  const first = log.entries[0]?.seq ?? 0;
  const same = await world.entries(bob, busy, { after: first - 1, limit: 200 });
  expect(viewOf(bob.id, log)).toEqual(viewOf(bob.id, same));
  expect(log.mine).toEqual({ [kept]: ['👍'] });
  expect(answer.conversations[quiet]).toMatchObject({ more: false, entries: [{ seq: word, body: { text: 'one word' } }] });
  expect(answer.conversations[quiet]).not.toHaveProperty('tooLong');
  expect(answer.conversations[left]).toMatchObject({ error: { code: 'not_found', retryable: false } });

  // The feed says what became of memberships, read positions and preferences, each once.
  expect(answer.feed?.more).toBe(false);
  const states = Object.fromEntries((answer.feed?.items ?? []).map(({ subject, state }) => [subject, state]));
  expect(Object.keys(states)).toHaveLength(answer.feed?.items.length ?? 0);
  expect(states).toMatchObject({
    [`read/${busy}`]: { readSeq: kept - 5 },
    [`pref/${quiet}`]: { pinned: true },
    [`member/${left}`]: { state: 'left' },
    [`member/${joined}`]: { state: 'joined', role: 'member' },
  });

  // The list is whole, in the same answer, with exact counts.
  expect(answer.heads?.nextCursor).toBeUndefined();
  const heads = Object.fromEntries((answer.heads?.items ?? []).map((head) => [head.id, head]));
  expect(Object.keys(heads).toSorted()).toEqual([busy, quiet, unnamed, joined].toSorted());
  expect(heads[busy]).toMatchObject({ readSeq: kept - 5, unread: 5, mentions: 1, lastMessage: { seq: kept } });
  expect(heads[quiet]).toMatchObject({ unread: 1, mentions: 0 });
  expect(heads[unnamed]).toMatchObject({ unread: 2 });
  expect(heads[joined]).toMatchObject({ unread: 0 });
  expect(seqs(log.entries)).toEqual(seqs(same.entries));
});
