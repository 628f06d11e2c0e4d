import { LRUCache } from 'lru-cache';
import type { Identity } from './identity.ts';

export type Admission = (identity: Identity) => void | Promise<void>;

export interface AdmissionOptions {
  /** Makes sure that the user has a row. Called once per user while the user is remembered; a failure is not remembered. */
  readonly ensure: (appId: string, userId: string) => Promise<unknown>;
  /** Refuses by throwing; asked every time (bans, revocations, from what the process has in memory). */
  readonly judge?: (identity: Identity) => void;
  /** Users remembered. */
  readonly users?: number;
}

/** Admits users: their row exists, and nothing speaks against them. Synchronous for a user seen before. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { ensure, judge } = options;
  const seen = new LRUCache<string, true>({ max: options.users ?? 50_000 });
  /** The same token gives the same identity: most requests need no look at the user's name. */
  const admitted = new WeakSet<Identity>();
  const flights = new Map<string, Promise<void>>();
  const begin = async (identity: Identity, user: string): Promise<void> => {
    try {
      await ensure(identity.appId, identity.userId);
      seen.set(user, true);
    } finally {
      flights.delete(user);
    }
  };
  return (identity) => {
    judge?.(identity);
    if (admitted.has(identity)) return undefined;
    const user = `${identity.appId}/${identity.userId}`;
    if (seen.get(user) === true) {
      admitted.add(identity);
      return undefined;
    }
    let flight = flights.get(user);
    if (flight === undefined) {
      flight = begin(identity, user);
      flights.set(user, flight);
    }
    return flight;
  };
}
