import { type Entry, excerptOf as excerptOnServer } from '@nudge/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { excerptOf } from './excerpt.ts';
import { applyConversation, applyEntry, applyPage, expire, mergeHistory, nextExpiry, viewOf } from './fold.ts';
import { foldEntry } from './fold-entry.ts';
import { entryAt, pinnedIn, type ViewPage } from './view.ts';

const at = '2026-11-21T08:00:00.000Z';
const message = (seq: number, more: Partial<Entry> = {}): Entry => ({
  seq,
  type: 'message',
  senderId: 'bob',
  createdAt: at,
  body: { text: `text ${seq}` },
  ...more,
});
const acting = (seq: number, type: string, target: number, body: Entry['body'] = null, more: Partial<Entry> = {}): Entry => ({
  seq,
  type,
  target,
  senderId: 'bob',
  createdAt: at,
  body,
  ...more,
});
const page = (entries: Entry[], more: Partial<ViewPage> = {}): ViewPage => ({
  entries,
  mine: {},
  head: entries.at(-1)?.seq ?? 0,
  oldestSeq: 1,
  ...more,
});
const three = viewOf('alice', page([message(1), message(2), message(3, { replyTo: { seq: 2, senderId: 'bob', excerpt: 'text 2' } })]));

describe('what a view takes', () => {
  it('is the next entry only: repeated, early and gapped ones leave the very same view', () => {
    expect(applyEntry(three, message(3))).toBe(three);
    expect(applyEntry(three, message(5))).toBe(three);
    expect(applyPage(three, page([message(4), message(6)]))).toBe(three);
    expect(applyPage(three, page([message(2), message(3)]))).toBe(three);
    expect(mergeHistory(viewOf('alice', page([message(5)])), page([message(2), message(3)])).entries).toHaveLength(1);
    expect(applyPage(three, page([message(3), message(4)])).cursor).toBe(4);
  });

  it('is every type, also those it does not know: their seq counts, their effect does not', () => {
    const after = applyPage(three, page([acting(4, 'message.starred', 2, { stars: 3 }), message(5, { type: 'poll' })]));
    expect(after.cursor).toBe(5);
    expect(after.entries.slice(0, 3)).toEqual(three.entries);
  });

  it('changes no input', () => {
    const frozen = structuredClone(three);
    applyPage(three, page([acting(4, 'message.edited', 2, { text: 'new' }), acting(5, 'message.redacted', 3)]));
    expect(three).toEqual(frozen);
  });
});

describe('an acting entry', () => {
  it('counts once: at or below stateSeq it does nothing', () => {
    const reaction = acting(4, 'reaction.added', 2, { emoji: '👍', count: 1, users: ['bob'] });
    const folded = foldEntry(message(2), reaction);
    expect(folded).toEqual({ ...message(2), reactions: [{ emoji: '👍', count: 1, users: ['bob'] }], stateSeq: 4 });
    expect(foldEntry(folded, reaction)).toBe(folded);
    expect(foldEntry(message(2, { stateSeq: 9 }), reaction).reactions).toBeUndefined();
  });

  it('edits its target, the quotations of it, and makes earlier edits history', () => {
    const after = applyPage(
      three,
      page([
        acting(4, 'message.edited', 2, { text: 'first' }, { mentions: ['carol'] }),
        acting(5, 'message.edited', 2, { text: 'second' }),
      ]),
    );
    expect(entryAt(after, 2)).toEqual({ ...message(2), body: { text: 'second' }, editedAt: at, stateSeq: 5 });
    expect(entryAt(after, 3)?.replyTo?.excerpt).toBe('second');
    expect(entryAt(after, 4)).toEqual(acting(4, 'message.edited', 2));
    expect(entryAt(applyEntry(three, acting(4, 'message.edited', 2)), 2)).toEqual(message(2, { stateSeq: 4 }));
  });

  it('redacts for ever: content, reactions, quotations', () => {
    const liked = viewOf(
      'alice',
      page([message(1, { reactions: [{ emoji: '👍', count: 1, users: ['alice'] }] })], { mine: { 1: ['👍'] } }),
    );
    const quoted = applyEntry(liked, message(2, { replyTo: { seq: 1, senderId: 'bob', excerpt: 'text 1' } }));
    const after = applyPage(quoted, page([acting(3, 'message.redacted', 1), acting(4, 'message.edited', 1, { text: 'late' })]));
    expect(entryAt(after, 1)).toEqual({ seq: 1, type: 'message', senderId: 'bob', createdAt: at, redacted: true, stateSeq: 4, body: null });
    expect(entryAt(after, 2)?.replyTo).toEqual({ seq: 1, senderId: 'bob', excerpt: '', redacted: true });
    expect(after.mine).toEqual({});
  });

  it('from before a redaction brings no quotation back', () => {
    const quote = { seq: 1, senderId: 'bob', excerpt: '', redacted: true } as const;
    const reply = viewOf('alice', page([message(2, { replyTo: quote })]));
    const after = applyEntry(reply, acting(3, 'message.edited', 1, { text: 'late' }));
    expect(entryAt(after, 2)?.replyTo).toEqual(quote);
  });

  it('that a history page has and the view has not shows in the quotations at once', () => {
    const reply = viewOf('alice', page([message(2, { replyTo: { seq: 1, senderId: 'bob', excerpt: 'text 1' } })]));
    const after = mergeHistory(reply, page([message(1, { body: { text: 'newer' }, editedAt: at, stateSeq: 3 })], { head: 3 }));
    expect(entryAt(after, 2)?.replyTo?.excerpt).toBe('newer');
  });

  it('of the viewer moves "mine", of others does not', () => {
    const added = (seq: number, senderId: string) =>
      acting(seq, 'reaction.added', 1, { emoji: '👍', count: seq - 3, users: [] }, { senderId });
    const after = applyPage(three, page([added(4, 'alice'), added(5, 'bob')]));
    expect(after.mine).toEqual({ 1: ['👍'] });
    expect(applyEntry(after, acting(6, 'reaction.removed', 1, { emoji: '👍', count: 1, users: [] }, { senderId: 'alice' })).mine).toEqual(
      {},
    );
  });

  it('pins and unpins', () => {
    const pinned = applyEntry(three, acting(4, 'message.pinned', 1));
    expect(pinnedIn(pinned).map(({ seq }) => seq)).toEqual([1]);
    expect(entryAt(applyEntry(pinned, acting(5, 'message.unpinned', 1)), 1)).toEqual(message(1, { stateSeq: 5 }));
  });

  it('whose target is hidden from the viewer only moves the cursor', () => {
    const after = applyEntry(three, { seq: 4, type: 'message.redacted', target: 2 });
    expect(after.cursor).toBe(4);
    expect(entryAt(after, 2)).toBe(entryAt(three, 2));
  });
});

describe('time and bounds', () => {
  const due = Date.parse('2026-11-21T08:01:00.000Z');
  const expiresAt = '2026-11-21T08:01:00.000Z';

  it('removes what expires, and what quotes it, at its time', () => {
    const view = viewOf(
      'alice',
      page([message(1, { expiresAt }), message(2, { replyTo: { seq: 1, senderId: 'bob', excerpt: 'text 1', expiresAt } })]),
    );
    expect(nextExpiry(view)).toBe(due);
    expect(expire(view, due - 1)).toBe(view);
    const after = expire(view, due);
    expect(entryAt(after, 1)).toEqual({ seq: 1, type: 'message', senderId: 'bob', createdAt: at, expiresAt, redacted: true, body: null });
    expect(entryAt(after, 2)?.replyTo).toEqual({ seq: 1, senderId: 'bob', excerpt: '', expiresAt, redacted: true });
    expect(nextExpiry(after)).toBeUndefined();
  });

  it('drops what a retention took, and masks what points there', () => {
    const view = applyEntry(three, acting(4, 'message.pinned', 1));
    const after = applyPage(view, page([], { oldestSeq: 3, head: 4 }));
    expect(after.entries).toEqual([
      { ...message(3), replyTo: { seq: 2 } },
      { seq: 4, type: 'message.pinned', target: 1 },
    ]);
  });

  it('makes the same excerpt as the server', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.string({ unit: 'grapheme', minLength: 100, maxLength: 300 })),
        (text) => {
          expect(excerptOf({ text })).toBe(excerptOnServer({ text }));
        },
      ),
    );
    expect(excerptOf({ text: 5 })).toBe('');
    expect(excerptOf(null)).toBe('');
  });
});

describe('members and state', () => {
  const created = message(1, {
    type: 'conversation.created',
    body: { type: 'group', by: 'ann', history: 'full', title: 'T', members: ['bob'] },
  });
  const system = (seq: number, type: string, body: Entry['body']) => message(seq, { type, senderId: '$system', body });

  it('follow the entries', () => {
    const view = viewOf(
      'alice',
      page([
        created,
        system(2, 'member.joined', { userId: 'alice', role: 'member', by: 'ann' }),
        system(3, 'member.updated', { userId: 'bob', by: 'ann', role: 'owner', transfer: true }),
        system(4, 'member.left', { userId: 'alice', by: 'bob', reason: 'banned' }),
        system(5, 'conversation.updated', { by: 'bob', title: null, frozen: true, slowModeSeconds: 5 }),
      ]),
    );
    expect(view.members).toEqual({
      ann: { state: 'joined', role: 'moderator' },
      bob: { state: 'joined', role: 'owner' },
      alice: { state: 'left', banned: true },
    });
    expect(view.state).toMatchObject({ type: 'group', title: null, frozen: true, slowModeSeconds: 5, retentionSeconds: 0, stateSeq: 5 });
  });

  it('of any name are members like others', () => {
    const odd: Entry = {
      seq: 1,
      type: 'conversation.created',
      senderId: '$system',
      createdAt: at,
      body: { type: 'group', by: 'alice', history: 'full', members: ['__proto__', 'constructor'] },
    };
    const { members } = viewOf('alice', page([odd]));
    expect(Object.keys(members).sort()).toEqual(['__proto__', 'alice', 'constructor']);
    expect(members.state).toBeUndefined();
  });

  it('of a snapshot hold until a later entry', () => {
    const snapshot = {
      id: 'c',
      type: 'group',
      title: 'S',
      avatarUrl: null,
      metadata: { a: 1 },
      frozen: false,
      slowModeSeconds: 0,
      retentionSeconds: 0,
      history: 'full',
      createdBy: 'ann',
      createdAt: at,
      memberCount: 2,
      lastSeq: 4,
      oldestSeq: 1,
    } as const;
    const view = applyConversation(three, snapshot);
    const old = applyEntry(view, system(4, 'conversation.updated', { by: 'bob', title: 'old' }));
    expect(old.state.title).toBe('S');
    const news = applyEntry(old, system(5, 'conversation.updated', { by: 'bob', title: 'new' }));
    expect(news.state).toMatchObject({ title: 'new', metadata: { a: 1 }, stateSeq: 5 });
    expect(applyConversation(news, snapshot)).toBe(news);
  });
});
