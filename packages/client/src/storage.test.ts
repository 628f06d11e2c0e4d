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
    });
    storage.drop('c/x');
    expect(stored(storage)).toEqual([]);
  });

  it('keeps an old range and joins it when what lies between is fetched', () => {
    const storage = new MemoryStorage();
    storage.append('c/x', entries(1, 2, 3), 3, true);
    storage.append('c/x', entries(8, 9), 9, true);
    expect(stored(storage)).toEqual([8, 9]);
    storage.prepend('c/x', entries(6, 7));
    expect(stored(storage)).toEqual([6, 7, 8, 9]);
    storage.prepend('c/x', entries(2, 3, 4, 5));
    expect(stored(storage)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
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
