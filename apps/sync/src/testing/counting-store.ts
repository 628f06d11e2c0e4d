import type { PullStore } from '../store/pull-store.ts';

/** A store that writes down what it was asked, and may be told to fail or to keep silent. */
export interface CountingStore extends PullStore {
  /** Number of questions in each statement, by kind. */
  readonly pages: number[];
  readonly standings: number[];
  readonly reactions: number[];
  mode: 'answers' | 'fails' | 'is silent';
}

export function countingStore(store: PullStore): CountingStore {
  const counting: CountingStore = {
    pages: [],
    standings: [],
    reactions: [],
    mode: 'answers',
    readPages(reads) {
      counting.pages.push(reads.length);
      return act(counting.mode, () => store.readPages(reads));
    },
    readStandings(pairs) {
      counting.standings.push(pairs.length);
      return act(counting.mode, () => store.readStandings(pairs));
    },
    readOwnReactions(userId, entries) {
      counting.reactions.push(entries.length);
      return act(counting.mode, () => store.readOwnReactions(userId, entries));
    },
  };
  return counting;
}

async function act<T>(mode: CountingStore['mode'], answer: () => Promise<T>): Promise<T> {
  if (mode === 'fails') throw new Error('the server is down');
  if (mode === 'is silent') return Promise.withResolvers<T>().promise;
  return answer();
}
