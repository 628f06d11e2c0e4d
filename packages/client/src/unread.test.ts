import type { Entry } from '@nudge/types';
import { beforeEach, describe, expect, it } from 'vitest';
import { UnreadCounts } from './unread.ts';
import { viewOf } from './view/fold.ts';

const message = (seq: number, more: Partial<Entry> = {}): Entry => ({
  seq,
  type: 'message',
  senderId: 'bob',
  createdAt: '2026-11-21T08:00:00.000Z',
  body: { text: `text ${seq}` },
  ...more,
});
const head = (lastSeq: number, readSeq: number, unread: number, mentions = 0) => ({ id: 'c1', lastSeq, readSeq, unread, mentions });

describe('unread counts', () => {
  let told: unknown[];
  let counts: UnreadCounts;

  beforeEach(() => {
    told = [];
    counts = new UnreadCounts(
      () => 'alice',
      (_id, unread) => told.push(unread),
    );
  });

  it('count what arrives after the head: messages of others, and those that mention the user', () => {
    counts.entry('c1', message(9));
    expect(counts.get('c1')).toBeUndefined();
    counts.head(head(4, 2, 1));
    for (const entry of [
      message(4),
      message(5, { mentions: ['alice'] }),
      message(6, { senderId: 'alice' }),
      message(7, { type: 'reaction.added', target: 5 }),
      message(8),
    ])
      counts.entry('c1', entry);
    expect(counts.get('c1')).toEqual({ readSeq: 2, unread: 3, mentions: 1 });
    expect(told).toHaveLength(3);
  });

  it('count an integrator`s own entries that say they count', () => {
    counts.head(head(4, 4, 0));
    counts.entry('c1', message(5, { type: 'custom.poll', countable: true, mentions: ['alice'] }));
    counts.entry('c1', message(6, { type: 'custom.poll' }));
    counts.entry('c1', message(7, { type: 'custom.poll', countable: true, redacted: true, body: null }));
    expect(counts.get('c1')).toEqual({ readSeq: 4, unread: 2, mentions: 1 });
    const entries = [message(5, { type: 'custom.poll', countable: true }), message(6, { type: 'custom.poll' }), message(7)];
    counts.read('c1', 4, undefined, viewOf('alice', { entries, mine: {}, head: 7, oldestSeq: 1 }));
    counts.read('c1', 5, undefined, viewOf('alice', { entries, mine: {}, head: 7, oldestSeq: 1 }));
    expect(counts.get('c1')?.unread).toBe(1);
  });

  it('of mentions follow what becomes of the messages held, and of nothing that a list to come has counted', () => {
    const page = (...entries: Entry[]) => viewOf('alice', { entries, mine: {}, head: entries.at(-1)?.seq ?? 0, oldestSeq: 1 });
    const acting = message(6, { type: 'message.edited', target: 4, mentions: ['alice'] });
    counts.head(head(5, 3, 2, 1));
    counts.changed('c1', page(message(3, { mentions: ['alice'] }), message(4), message(5, { mentions: ['alice'] })));
    expect(counts.get('c1')).toEqual({ readSeq: 3, unread: 2, mentions: 1 });
    expect(told).toHaveLength(1);
    counts.entry('c1', acting);
    counts.changed('c1', page(message(4), message(5, { mentions: ['alice'] }), acting));
    expect(counts.get('c1')).toEqual({ readSeq: 3, unread: 2, mentions: 2 });
    counts.changed('c1', page(message(4), message(5, { redacted: true, body: null }), acting));
    expect(counts.get('c1')).toEqual({ readSeq: 3, unread: 2, mentions: 1 });
    // A view that does not reach down to the read position, or not up to what was counted, knows less than the count.
    counts.changed('c1', page(message(5), acting));
    counts.changed('c1', page(message(4), message(5)));
    expect(counts.get('c1')?.mentions).toBe(1);
    counts.changed('c2', page(message(1)));
    expect(counts.get('c2')).toBeUndefined();
  });

  it('lose what retention takes: the read position stands at the edge then', () => {
    const view = (oldestSeq: number) => viewOf('alice', { entries: [4, 5, 6].map((seq) => message(seq)), mine: {}, head: 6, oldestSeq });
    counts.head(head(6, 2, 4, 2));
    counts.changed('c1', view(3));
    expect(counts.get('c1')).toEqual({ readSeq: 2, unread: 4, mentions: 2 });
    counts.changed('c1', view(6));
    expect(counts.get('c1')).toEqual({ readSeq: 5, unread: 1, mentions: 0 });
    counts.changed('c1', view(7));
    expect(counts.get('c1')).toEqual({ readSeq: 6, unread: 0, mentions: 0 });
  });

  it('are replaced by a newer list, not by an older one', () => {
    counts.head(head(4, 2, 1));
    counts.entry('c1', message(5));
    counts.head(head(4, 2, 1));
    expect(counts.get('c1')?.unread).toBe(2);
    counts.head(head(6, 5, 1, 1));
    expect(counts.get('c1')).toEqual({ readSeq: 5, unread: 1, mentions: 1 });
  });

  it('fall with read positions, here and elsewhere: by the answer, else by what is held', () => {
    const view = viewOf('alice', {
      entries: [message(3), message(4, { mentions: ['alice'] }), message(5, { senderId: 'alice' }), message(6)],
      mine: {},
      head: 6,
      oldestSeq: 1,
    });
    counts.head(head(6, 2, 3, 1));
    counts.read('c1', 3, undefined, view);
    expect(counts.get('c1')).toEqual({ readSeq: 3, unread: 2, mentions: 1 });
    counts.read('c1', 2, undefined, view);
    expect(counts.get('c1')?.readSeq).toBe(3);
    counts.read('c1', 4, 1, view);
    expect(counts.get('c1')).toEqual({ readSeq: 4, unread: 1, mentions: 0 });
    counts.read('c1', 6, undefined, undefined);
    expect(counts.get('c1')).toEqual({ readSeq: 6, unread: 0, mentions: 0 });
  });
});
