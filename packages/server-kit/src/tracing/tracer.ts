/** Where a span stands in its trace, as W3C Trace Context writes it: `00-<trace id>-<span id>-<flags>`. */
export type TraceParent = string;

export interface SpanOptions {
  readonly kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** What led to it, when that came from elsewhere; anything out of form is ignored. By default the span in whose course it begins. */
  readonly parent?: TraceParent | undefined;
  /** Others that led to it as well. */
  readonly links?: readonly TraceParent[];
  /** Ids, names and counts; never what a user wrote. */
  readonly attributes?: Readonly<Record<string, string | number>>;
}

/** A span while it lasts. */
export interface ActiveSpan {
  set(name: string, value: string | number): void;
}

/**
 * Follows a message from its send to the pulls that its key leads to. What cannot carry a context itself (a key that is coalesced, a frame
 * that many sessions share) finds it again by log and seq.
 */
export interface Tracer extends AsyncDisposable {
  /** False: everything here does nothing, and whoever must not pay even for the call leaves it out. */
  readonly enabled: boolean;
  /** Runs `work` in a span, which ends when `work` has returned, or its promise settled. What it throws is noted and thrown on. */
  span<T>(name: string, options: SpanOptions, work: (span: ActiveSpan) => T): T;
  /** The span in whose course this is called. */
  current(): TraceParent | undefined;
  /** Notes in what trace a log reached a seq; the newest of each log, of a bounded number of logs. */
  remember(log: string, seq: number, parent: TraceParent): void;
  /** What {@link remember} noted of exactly this seq. */
  recall(log: string, seq: number): TraceParent | undefined;
}

const idle: ActiveSpan = { set: () => undefined };

/** No traces. */
export const noTracer: Tracer = {
  enabled: false,
  span: (_name, _options, work) => work(idle),
  current: () => undefined,
  remember: () => undefined,
  recall: () => undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
