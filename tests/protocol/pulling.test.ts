import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { range, seqs, useWorld } from './support/world.ts';

// Small bounds, so that every one of them is reached with few entries.
const world = useWorld({ env: { LIMIT_TOO_LONG_ENTRIES: '30', LIMIT_SYNC_ENTRIES: '20', LIMIT_SYNC_LOGS: '5', LIMIT_PAGE_ENTRIES: '15' } });

const pull = (token: string, conversationId: string, query = {}) =>
  world.http.call('listEntries', { token, params: { conversationId }, query });

describe('a page of one conversation', () => {
  it('is ascending and exclusive of its bounds: after, before, or the newest', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await world.sendMany(ann, id, 11);
    const page = async (query: object) => {
      const { entries, head, oldestSeq, more } = await world.entries(ann, id, { ...query });
      expect({ head, oldestSeq }).toEqual({ head: 12, oldestSeq: 1 });
      return { seqs: seqs(entries), more };
    };
    expect(await page({ limit: 5 })).toEqual({ seqs: range(8, 12), more: true });
    expect(await page({ limit: 12 })).toEqual({ seqs: range(1, 12), more: false });
    expect(await page({ after: 0, limit: 5 })).toEqual({ seqs: range(1, 5), more: true });
    expect(await page({ after: 7, limit: 5 })).toEqual({ seqs: range(8, 12), more: false });
    expect(await page({ after: 12 })).toEqual({ seqs: [], more: false });
    expect(await page({ before: 13, limit: 5 })).toEqual({ seqs: range(8, 12), more: true });
    expect(await page({ before: 6, limit: 5 })).toEqual({ seqs: range(1, 5), more: false });
    expect(await page({ before: 1 })).toEqual({ seqs: [], more: false });
    expect(await page({ before: 4, limit: 2 })).toEqual({ seqs: [2, 3], more: true });
  });

  it('leads through the whole log in both directions without a repeat or a gap', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await world.sendMany(ann, id, 40);
    const forward: number[] = [];
    for (let after = 0, more = true; more; ) {
      const page = await world.entries(ann, id, { after, limit: 7 });
      forward.push(...seqs(page.entries));
      after = forward.at(-1) ?? 0;
      more = page.more;
    }
    expect(forward).toEqual(range(1, 41));
    const backward: number[] = [];
    for (let query: object = { limit: 7 }, more = true; more; ) {
      const page = await world.entries(ann, id, { ...query });
      backward.unshift(...seqs(page.entries));
      query = { limit: 7, before: backward[0] };
      more = page.more;
    }
    expect(backward).toEqual(range(1, 41));
  });

  it.each([
    { after: 1, before: 3 },
    { limit: 0 },
    { limit: 16 },
    { limit: '1e9' },
    { after: -1 },
    { after: '1.5' },
    { before: '9007199254740992' },
    { min: 'x' },
    { cursor: 1 },
  ])('is refused for %j', async (query) => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    (await pull(ann.token, id, query)).refused('invalid_request');
  });

  it('holds what the log was when the request arrived', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    for (let n = 2; n < 30; n += 1) {
      const seq = await world.send(ann, id);
      const page = await world.entries(bob, id, { after: seq - 1 });
      expect({ seq, seqs: seqs(page.entries), head: page.head }).toEqual({ seq, seqs: [seq], head: seq });
    }
  });

  it('with min has reached that seq', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await world.send(ann, id);
    expect(seqs((await world.entries(bob, id, { after: 1, min: seq })).entries)).toEqual([seq]);
    expect(seqs((await world.entries(bob, id, { after: seq, min: 1 })).entries)).toEqual([]);
  });

  it.each([{ after: 4 }, { after: 2, min: 4 }, { min: 1_000_000 }, { after: Number.MAX_SAFE_INTEGER }])(
    'with a cursor or min beyond the head is told so: %j',
    async (query) => {
      const [ann] = await world.people('ann');
      const { id } = await world.create(ann);
      await world.sendMany(ann, id, 2);
      (await pull(ann.token, id, query)).refused('seq_ahead');
      expect((await world.entries(ann, id, { after: 3 })).head).toBe(3);
    },
  );

  it('of a conversation that is missing or somebody else`s is 404, whatever the cursor', async () => {
    const [ann, eve] = await world.people('ann', 'eve');
    const { id } = await world.create(ann);
    for (const conversationId of [id, randomUUID()]) {
      for (const query of [{}, { after: 0 }, { after: 99, min: 99 }, { before: 1 }])
        (await pull(eve.token, conversationId, query)).refused('not_found');
    }
  });
});

describe('POST /v1/sync', () => {
  it('answers every log it names, one by one, and the failure of one is that one`s alone', async () => {
    const [ann, eve] = await world.people('ann', 'eve');
    const mine = await world.create(ann);
    const behind = await world.create(ann);
    await world.sendMany(ann, behind.id, 3);
    const foreign = await world.create(eve);
    const missing = randomUUID();
    const answer = await world.sync(ann, {
      conversations: { [mine.id]: { after: 1 }, [behind.id]: { after: 2, min: 4 }, [foreign.id]: { after: 0 }, [missing]: { after: 0 } },
    });
    expect(answer.conversations[mine.id]).toEqual({ entries: [], mine: {}, head: 1, oldestSeq: 1, more: false });
    expect(answer.conversations[behind.id]).toMatchObject({ entries: [{ seq: 3 }, { seq: 4 }], head: 4, more: false });
    expect(answer.conversations[foreign.id]).toEqual({ error: { code: 'not_found', retryable: false } });
    expect(answer.conversations[missing]).toEqual({ error: { code: 'not_found', retryable: false } });
    expect(Object.keys(answer.conversations)).toHaveLength(4);
    expect(answer).not.toHaveProperty('feed');
    expect(answer).not.toHaveProperty('heads');
  });

  it('tells a log whose cursor is ahead, and answers the others', async () => {
    const [ann] = await world.people('ann');
    const one = await world.create(ann);
    const two = await world.create(ann);
    const answer = await world.sync(ann, { conversations: { [one.id]: { after: 9 }, [two.id]: { after: 0 } } });
    expect(answer.conversations[one.id]).toEqual({ error: { code: 'seq_ahead', retryable: false } });
    expect(answer.conversations[two.id]).toMatchObject({ entries: [{ seq: 1 }] });
  });

  it('is bounded in total: a log that finds no room says more, and asking on from the new cursors completes all', async () => {
    const [ann] = await world.people('ann');
    const conversations = await Promise.all(range(1, 4).map(() => world.create(ann)));
    for (const { id } of conversations) await world.sendMany(ann, id, 11);
    const got = new Map(conversations.map(({ id }) => [id, [] as number[]]));
    for (let round = 0, open = true; open; round += 1) {
      expect(round).toBeLessThan(10);
      const cursors = Object.fromEntries([...got].map(([id, list]) => [id, { after: list.at(-1) ?? 0 }]));
      const answer = await world.sync(ann, { conversations: cursors });
      const deltas = Object.entries(answer.conversations);
      expect(deltas).toHaveLength(4);
      let total = 0;
      open = false;
      for (const [id, delta] of deltas) {
        if ('error' in delta) throw new Error(JSON.stringify(delta));
        got.get(id)?.push(...seqs(delta.entries));
        total += delta.entries.length;
        open ||= delta.more;
      }
      expect(total).toBeLessThanOrEqual(20);
    }
    for (const list of got.values()) expect(list).toEqual(range(1, 12));
  });

  it('takes a limit of its own', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await world.sendMany(ann, id, 9);
    expect((await world.sync(ann, { conversations: { [id]: { after: 0 } }, limit: 3 })).conversations[id]).toMatchObject({
      entries: [{ seq: 1 }, { seq: 2 }, { seq: 3 }],
      more: true,
    });
    (await world.http.call('sync', { token: ann.token, body: { limit: 21 } })).refused('invalid_request');
    (await world.http.call('sync', { token: ann.token, body: { limit: 0 } })).refused('invalid_request');
  });

  it('says tooLong to a cursor more than the bound behind, with the newest page', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await world.sendMany(ann, id, 40);
    const delta = async (after: number) => {
      const found = (await world.sync(ann, { conversations: { [id]: { after } } })).conversations[id];
      if (found === undefined || 'error' in found) throw new Error(JSON.stringify(found));
      return found;
    };
    expect((await delta(11)).tooLong).toBeUndefined();
    const { tooLong, entries, head } = await delta(10);
    expect(tooLong).toEqual({ snapshotSeq: 41, oldestSeq: 1 });
    expect(head).toBe(41);
    const first = entries[0]?.seq ?? 0;
    expect(seqs(entries)).toEqual(range(first, 41));
    expect(entries.length).toBeGreaterThan(0);
    expect(seqs((await world.entries(ann, id, { before: first, limit: 3 })).entries)).toEqual(range(first - 3, first - 1));
  });

  it('says tooLong to a cursor below what is visible, with the start of the visible', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { history: 'since_join' });
    await world.sendMany(ann, id, 5);
    (await world.http.call('putMember', { token: ann.token, params: { conversationId: id, userId: bob.id } })).ok();
    await world.send(ann, id);
    expect((await world.sync(bob, { conversations: { [id]: { after: 2 } } })).conversations[id]).toMatchObject({
      tooLong: { snapshotSeq: 8, oldestSeq: 7 },
      entries: [{ seq: 7 }, { seq: 8 }],
    });
    expect((await world.sync(bob, { conversations: { [id]: { after: 6 } } })).conversations[id]).not.toHaveProperty('tooLong');
  });

  it('refuses more logs than the bound and names it', async () => {
    const [ann] = await world.people('ann');
    const conversations = Object.fromEntries(range(1, 6).map(() => [randomUUID(), { after: 0 }]));
    const problem = (await world.http.call('sync', { token: ann.token, body: { conversations } })).refused('invalid_request');
    expect(JSON.stringify(problem.issues)).toContain('syncLogs');
  });

  it('of nothing is answered with nothing but the time', async () => {
    const [ann] = await world.people('ann');
    const answer = await world.sync(ann, {});
    expect(Object.keys(answer).sort()).toEqual(['conversations', 'epoch', 'serverTime']);
    expect(Math.abs(Date.parse(answer.serverTime) - Date.now())).toBeLessThan(5_000);
  });
});

describe('heads in a sync', () => {
  it('are those active since a time, or all; complete when nextCursor is absent', async () => {
    const [ann] = await world.people('ann');
    const quiet = await Promise.all(range(1, 4).map(() => world.create(ann)));
    const { serverTime } = await world.sync(ann, {});
    const busy = await Promise.all(range(1, 3).map(() => world.create(ann)));
    const [old] = quiet;
    if (old === undefined) throw new Error('no conversation');
    await world.send(ann, old.id);
    const collect = async (heads: object) => {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const answer = await world.sync(ann, { heads: { ...heads, limit: 2, ...(cursor === undefined ? {} : { cursor }) } });
        ids.push(...(answer.heads?.items.map(({ id }) => id) ?? []));
        cursor = answer.heads?.nextCursor ?? undefined;
      } while (cursor !== undefined);
      expect(new Set(ids).size).toBe(ids.length);
      return ids.toSorted();
    };
    expect(await collect({ since: serverTime })).toEqual([...busy, old].map(({ id }) => id).toSorted());
    expect(await collect({})).toEqual([...busy, ...quiet].map(({ id }) => id).toSorted());
    const minuteAgo = new Date(Date.parse(serverTime) - 60_000).toISOString();
    expect(await collect({ since: minuteAgo })).toEqual([...busy, ...quiet].map(({ id }) => id).toSorted());
  });
});

describe('the list of conversations', () => {
  it('is newest activity first and paged without a repeat', async () => {
    const [ann] = await world.people('ann');
    const made: string[] = [];
    for (const _ of range(1, 7)) made.push((await world.create(ann)).id);
    await world.send(ann, made[2] ?? '');
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const page = (
        await world.http.call('listHeads', { token: ann.token, query: { limit: 3, ...(cursor === undefined ? {} : { cursor }) } })
      ).ok();
      listed.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(listed[0]).toBe(made[2]);
    expect(listed.toSorted()).toEqual(made.toSorted());
    (await world.http.call('listHeads', { token: ann.token, query: { cursor: 'nonsense' } })).refused('invalid_request');
  });

  it('shows each conversation as its viewer stands in it', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob], title: 'team', type: 'channel' });
    const seq = await world.send(ann, id, 'the news');
    const { conversation } = (await world.http.call('getConversation', { token: bob.token, params: { conversationId: id } })).ok();
    const entry = (await world.entries(ann, id)).entries.at(-1);
    expect(await world.head(bob, id)).toMatchObject({
      id,
      type: 'channel',
      title: 'team',
      lastSeq: conversation.lastSeq,
      lastEntryAt: entry?.createdAt,
      readSeq: 1,
      unread: 1,
      mentions: 0,
      memberCount: 2,
      member: { role: 'member', joinedSeq: 1, hidden: false },
      lastMessage: { seq, senderId: ann.id, createdAt: entry?.createdAt, excerpt: 'the news' },
    });
    expect(await world.head(ann, id)).toMatchObject({ readSeq: seq, unread: 0, member: { role: 'owner' } });
  });

  it('shows the start of a long text, and an empty excerpt of what has none', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    expect((await world.head(ann, id))?.lastMessage).toBeNull();
    const text = '👋'.repeat(3_000);
    await world.send(ann, id, text);
    const excerpt = (await world.head(ann, id))?.lastMessage?.excerpt ?? '';
    expect(excerpt.isWellFormed()).toBe(true);
    expect(excerpt.length).toBeGreaterThan(0);
    expect(excerpt.length).toBeLessThan(1_000);
    expect(text.startsWith(excerpt.replace(/…$/, ''))).toBe(true);
    (
      await world.http.call('sendMessage', {
        token: ann.token,
        params: { conversationId: id },
        body: { clientMsgId: 'n', body: { image: 'x' } },
      })
    ).ok();
    expect((await world.head(ann, id))?.lastMessage?.excerpt).toBe('');
  });

  it('lists nothing to a newcomer', async () => {
    const [ann] = await world.people('ann');
    expect((await world.http.call('listHeads', { token: ann.token })).ok()).toMatchObject({ items: [] });
    expect((await world.http.call('getUnread', { token: ann.token })).ok()).toEqual({ total: 0, mentions: 0 });
  });
});
