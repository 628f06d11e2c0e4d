import { fairShare } from './fair-share.ts';
import { rangeOf, type Window } from './window.ts';

/** A log whose place is known: what its reader sees is `[start, head]`. */
export interface PlacedLog {
  readonly after: number;
  readonly start: number;
  readonly head: number;
}

/** Which entries of a log go into the answer. */
export interface PlannedPage {
  readonly window: Window;
  readonly tooLong: boolean;
}

/** Bounds of one answer. */
export interface CatchUpLimits {
  /** Entries over all logs. */
  readonly total: number;
  /** Entries of one log. */
  readonly page: number;
  /** A cursor further behind than this is not paged through. */
  readonly tooLong: number;
}

/**
 * Divides the room in one answer. A cursor too far behind, or below the visible start, gets the newest entries instead of the next
 * ones. When there is not room for all, each log gets a fair share; one that gets nothing is answered empty with `more`.
 */
export function planCatchUp(logs: readonly PlacedLog[], limits: CatchUpLimits): PlannedPage[] {
  const wishes = logs.map(({ after, start, head }) => {
    const tooLong = head - after > limits.tooLong || after + 1 < start;
    const { from, to } = rangeOf({ kind: 'after', seq: after, limit: limits.page }, start, head);
    const demand = tooLong ? Math.min(limits.page, head - start + 1) : to - from + 1;
    return { tooLong, demand: Math.max(0, demand) };
  });
  const grants = fairShare(
    wishes.map(({ demand }) => demand),
    limits.total,
  );
  return logs.map(({ after, head }, index) => {
    const limit = grants[index] ?? 0;
    const tooLong = wishes[index]?.tooLong === true;
    return { tooLong, window: { kind: 'after', seq: tooLong ? head - limit : after, limit } };
  });
}
