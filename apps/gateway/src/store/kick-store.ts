import { type Pool, sessionKicks } from '@nudge/db';
import type { LoadKicks } from '../services/kick-poll.ts';

/** Ends of sessions as the primary has them. */
export function createKickStore(primary: Pool): LoadKicks {
  return (since) => sessionKicks(primary, since);
}
