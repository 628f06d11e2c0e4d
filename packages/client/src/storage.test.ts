import type { Entry } from '@nudge/types';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from './storage.ts';

const entries = (...seqs: number[]): Entry[] =>
  seqs.map((seq) => ({ seq, type: 'message', senderId: 'bob', createdAt: '2026-11-21T08:00:00.000Z', body: {} }));
const stored = (storage: MemoryStorage) => storage.entries('c/x').map(({ seq }) => seq);

describe('storage in memory', () => {
  it('gives back the newest range, and where each log stands', () => {
    const storage = new MemoryStorage();
    storage.append('c/x', entries(1, 2), 2, true);
    storage.append('c/x', entries(3), 3, false);
    storage.append('u/a', [], 9, false);
    storage.saveSync({ epoch: 2, since: null });
    expect(stored(storage)).toEqual([1, 2, 3]);
    expect(storage.load()).toEqual({
      epoch: 2,
      since: null,
      cursors: new Map([
        ['c/x', 3],
        ['u/a', 9],
      ]),
      feed: [],
    });
    storage.drop('c/x');
    expect(stored(storage)).toEqual([]);
  });

  it('lets an old range go when a new one begins, since nothing keeps it up to date, and grows downwards', () => {
    const storage = new MemoryStorage();
    storage.append('c/x', entries(1, 2, 3), 3, true);
    storage.append('c/x', entries(8, 9), 9, true);
    expect(stored(storage)).toEqual([8, 9]);
    storage.prepend('c/x', entries(6, 7));
    expect(stored(storage)).toEqual([6, 7, 8, 9]);
    storage.prepend('c/x', entries(2, 3, 4, 5));
    expect(stored(storage)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('takes over changed entries, loses what is no longer visible, and keeps own reactions and the feed', () => {
    const storage = new MemoryStorage();
    storage.append('c/x', entries(4, 5, 6), 6, true);
    const [gone] = entries(5);
    storage.replace('c/x', [{ ...gone, seq: 5, type: 'message', body: null, redacted: true }, ...entries(2, 9)]);
    expect(storage.entries('c/x').map(({ body }) => body)).toEqual([{}, null, {}]);
    storage.saveMine('c/x', { 6: ['👍'] });
    expect(storage.mine('c/x')).toEqual({ 6: ['👍'] });
    storage.trim('c/x', 6);
    expect(stored(storage)).toEqual([6]);
    for (const version of [1, 2]) storage.saveFeed('u/a', { subject: 'read/x', version, state: { readSeq: version } });
    expect(storage.load().feed).toEqual([{ subject: 'read/x', version: 2, state: { readSeq: 2 } }]);
    storage.drop('u/a');
    expect(storage.load().feed).toEqual([]);
  });

  it('holds no more than it may, and lets the oldest go', () => {
    const storage = new MemoryStorage({ entriesPerLog: 4 });
    storage.append('c/x', entries(1, 2, 3), 3, true);
    storage.append('c/x', entries(8, 9), 9, true);
    storage.append('c/x', entries(10, 11, 12), 12, false);
    expect(stored(storage)).toEqual([9, 10, 11, 12]);
    storage.append('c/x', entries(13), 13, false);
    expect(stored(storage)).toEqual([10, 11, 12, 13]);
  });
});
