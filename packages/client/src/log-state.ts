/**
 * Vocabulary of the gap rule for one log: what a log can be in, what can happen to it, what it may ask for. No I/O, no clock.
 * The rule itself is `log-machine.ts`; SPEC.md lists states, events, invariants and their tests.
 */

/** Anything with a position: an entry of a conversation, or a feed item under its version. */
export interface Positioned {
  readonly seq: number;
}

/**
 * `entries`: gapless seqs, started from the end. `feed`: compacted (versions rise, with holes where a subject was overwritten),
 * always started from its beginning, because its size is that of the list of conversations.
 */
export type LogKind = 'entries' | 'feed';

interface Common {
  readonly kind: LogKind;
  /** How often this log was dropped. What began in an earlier life may raise a target, never move a cursor. */
  readonly life: number;
  /** Number of the newest pull or wait. An answer or timer with another number is stale and ignored. */
  readonly ticket: number;
}

interface Flight {
  /** Newest seq heard of; the log is behind while it is above the cursor. 0 when nothing was heard. */
  readonly target: number;
  /** The `min` of the pull in flight. */
  readonly asked: number;
  /** A sync was asked for after this pull left, so its answer may predate what was lost: pull once more. */
  readonly again: boolean;
  /** Consecutive failures before this pull. */
  readonly attempt: number;
}

/** No cursor, nothing heard, nothing in flight. */
export interface Unknown extends Common {
  readonly phase: 'unknown';
}
/** Not a member any more (left, removed, or it never existed). A key above `floor` starts it again. */
export interface Gone extends Common {
  readonly phase: 'gone';
  readonly floor: number;
}
/** Everything up to `cursor` is applied and nothing beyond it was heard of. */
export interface Idle extends Common {
  readonly phase: 'idle';
  readonly cursor: number;
}
/** The newest page is in flight. `prior`: end of the old range kept after a `tooLong`. */
export interface Starting extends Common, Flight {
  readonly phase: 'starting';
  readonly prior: number | null;
}
/** A page after `after` is in flight. `cursor` can be ahead of `after`: an own send was applied meanwhile. */
export interface Pulling extends Common, Flight {
  readonly phase: 'pulling';
  readonly cursor: number;
  readonly after: number;
}
/** The last pull failed and may be repeated; a `retry` with this ticket repeats it. */
export interface Waiting extends Common {
  readonly phase: 'waiting';
  readonly cursor: number | null;
  readonly prior: number | null;
  readonly target: number;
  readonly attempt: number;
}
/** The last pull was refused for good. No timer: a newer key, a sync or an `open` tries again. */
export interface Stalled extends Common {
  readonly phase: 'stalled';
  readonly cursor: number | null;
  readonly prior: number | null;
  readonly target: number;
}

export type LogState = Unknown | Gone | Idle | Starting | Pulling | Waiting | Stalled;
export type LogPhase = LogState['phase'];

/** What can happen to a log. `ticket` names the pull or wait that is answered. */
export type LogEvent<T extends Positioned = Positioned> =
  /** A notification, a head from a `watch` answer, or a head from the list: the log has reached `seq`. */
  | { readonly type: 'key'; readonly seq: number }
  /** The same from the list of conversations; starts a log without a cursor only when `start` is set. */
  | { readonly type: 'head'; readonly seq: number; readonly start: boolean }
  /** The user wants this log. */
  | { readonly type: 'open' }
  /** Something may have been missed: pull, whatever was heard. */
  | { readonly type: 'sync' }
  | {
      readonly type: 'page';
      readonly ticket: number;
      readonly items: readonly T[];
      /** Last seq of the log (feed: version) when the page was made. */
      readonly head: number;
      /** First seq visible to this user. */
      readonly oldestSeq: number;
      /** More follows after this page. Without meaning on a page from the end. */
      readonly more: boolean;
      /** The answer had other logs in it that moved: an empty page with `more` is then a matter of room, not of failure. */
      readonly crowded: boolean;
    }
  | { readonly type: 'failed'; readonly ticket: number; readonly retryable: boolean; readonly afterMs?: number }
  /** The cursor cannot be continued. `items`: the newest entries, up to `snapshotSeq`, as far as the answer had room for them. */
  | { readonly type: 'tooLong'; readonly ticket: number; readonly snapshotSeq: number; readonly items: readonly T[] }
  | { readonly type: 'seqAhead'; readonly ticket: number }
  | { readonly type: 'notFound'; readonly ticket: number }
  /** The wait numbered `ticket` is over. */
  | { readonly type: 'retry'; readonly ticket: number }
  /** An own send was acknowledged. `item` is the entry as this device can rebuild it, `life` the log's when the send left. */
  | { readonly type: 'sent'; readonly seq: number; readonly asSent: boolean; readonly item: T; readonly life: number }
  /** The feed says: membership ended at `leftSeq`. */
  | { readonly type: 'left'; readonly leftSeq: number }
  /** The database's history was replaced. */
  | { readonly type: 'epochChanged' }
  /** Forget everything held of this log. */
  | { readonly type: 'reset' };

export type DropReason = 'seq_ahead' | 'epoch' | 'left' | 'reset';
export type Violation = 'gap' | 'short';

/** What a step asks of the driver, to be carried out in this order. */
export type LogEffect<T extends Positioned = Positioned> =
  /** Ask for what follows `after`; `null`: the newest page. `min` 0: no minimum. */
  | { readonly type: 'pull'; readonly ticket: number; readonly after: number | null; readonly min: number }
  /** Store and hand out `items`, in order, and `cursor` with them as one unit. `newRange`: they do not join what is stored. */
  | { readonly type: 'apply'; readonly items: readonly T[]; readonly cursor: number; readonly newRange: boolean }
  /** Forget the stored entries and cursor. */
  | { readonly type: 'drop'; readonly reason: DropReason }
  /** Send `retry` with this ticket after a wait: at least `afterMs` where given, else backoff by `attempt` (1, 2, 3 …). */
  | { readonly type: 'wait'; readonly ticket: number; readonly attempt: number; readonly afterMs?: number }
  /** A page broke the contract and was thrown away whole: not contiguous (`gap`), or less than was promised (`short`). */
  | { readonly type: 'violation'; readonly kind: Violation };

/** A step's outcome. The same `state` object and no effects: the event changed nothing. */
export interface LogStep<T extends Positioned = Positioned> {
  readonly state: LogState;
  readonly effects: readonly LogEffect<T>[];
}

/** A log as it is before anything happened, or as it was stored. A feed without a cursor begins at 0. */
export function initialLog(kind: LogKind, cursor: number | null = null): Unknown | Idle {
  const common = { kind, life: 0, ticket: 0 };
  if (cursor !== null) return { ...common, phase: 'idle', cursor };
  return kind === 'feed' ? { ...common, phase: 'idle', cursor: 0 } : { ...common, phase: 'unknown' };
}

/** The seq up to which everything is applied; `null` while there is none. */
export function cursorOf(state: LogState): number | null {
  return 'cursor' in state ? state.cursor : null;
}
