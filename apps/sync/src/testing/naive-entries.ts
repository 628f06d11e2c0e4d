/** One entry as it was appended. A `message` may quote an earlier one and may expire; everything else acts on a message. */
export type NaiveOp =
  | { readonly type: 'message'; readonly replyTo?: number; readonly expiresAt?: number }
  | {
      readonly type: 'message.edited' | 'message.redacted' | 'message.pinned' | 'message.unpinned';
      readonly target: number;
    }
  | { readonly type: 'reaction.added' | 'reaction.removed'; readonly target: number; readonly userId: string };

/** Users that a reaction names; so few that the others are met often. */
const NAMED_USERS = 1;

interface State {
  readonly seq: number;
  readonly op: NaiveOp;
  body: string | null;
  redacted: boolean;
  pinned: boolean;
  readonly users: Set<string>;
  stateSeq?: number;
  lastEdit?: number;
}

/** The current state of every entry of a log, by applying one after the other. */
export function foldEntries(ops: readonly NaiveOp[]): readonly State[] {
  const states: State[] = [];
  ops.forEach((op, i) => {
    const seq = i + 1;
    const acts = op.type !== 'message' && op.type !== 'message.edited';
    states.push({ seq, op, body: acts ? null : `text ${seq}`, redacted: false, pinned: false, users: new Set() });
    if (op.type === 'message') return;
    const target = states[op.target - 1];
    if (target === undefined) throw new Error(`entry ${seq} acts on ${op.target}`);
    target.stateSeq = seq;
    if (op.type === 'message.edited' || op.type === 'message.redacted') {
      const before = states[(target.lastEdit ?? 0) - 1];
      if (before !== undefined) before.body = null;
    }
    if (op.type === 'message.edited') {
      target.lastEdit = seq;
      target.body = `text ${seq}`;
    } else if (op.type === 'message.redacted') {
      target.redacted = true;
      target.pinned = false;
      target.users.clear();
    } else if (op.type === 'reaction.added') target.users.add(op.userId);
    else if (op.type === 'reaction.removed') target.users.delete(op.userId);
    else target.pinned = op.type === 'message.pinned';
  });
  return states;
}

/** The log's wire texts at a time, everything read anew. */
export function renderEntries(ops: readonly NaiveOp[], now: number): string[] {
  const states = foldEntries(ops);
  return states.map((state) => render(state, states, now));
}

/** Whether an entry can still be acted on. */
export function isOpen(ops: readonly NaiveOp[], seq: number, now: number): boolean {
  const state = foldEntries(ops)[seq - 1];
  return state?.op.type === 'message' && !isTombstone(state, now);
}

function isTombstone({ op, redacted }: State, now: number): boolean {
  return redacted || (op.type === 'message' && (op.expiresAt ?? Number.POSITIVE_INFINITY) <= now);
}

function render(state: State, states: readonly State[], now: number): string {
  const { seq, op, stateSeq, body, users, pinned } = state;
  const target = 'target' in op ? `,"target":${op.target}` : '';
  const opening = `{"seq":${seq},"type":"${op.type}"${target},"senderId":"ann"`;
  const expiresAt = 'expiresAt' in op && op.expiresAt !== undefined ? expiry(op.expiresAt) : '';
  const folded = stateSeq === undefined ? '' : `,"stateSeq":${stateSeq}`;
  if (isTombstone(state, now)) return `${opening}${expiresAt},"redacted":true${folded},"body":null}`;
  const quoted = 'replyTo' in op && op.replyTo !== undefined ? states[op.replyTo - 1] : undefined;
  const named = JSON.stringify([...users].slice(0, NAMED_USERS));
  const reactions = users.size === 0 ? '' : `,"reactions":[{"emoji": "👍", "count": ${users.size}, "users": ${named}}]`;
  const text = body === null ? 'null' : `{"text": "${body}"}`;
  return `${opening}${replyTo(quoted, now)}${reactions}${pinned ? ',"pinned":true' : ''}${expiresAt}${folded},"body":${text}}`;
}

function replyTo(quoted: State | undefined, now: number): string {
  if (quoted === undefined) return '';
  const gone = isTombstone(quoted, now);
  const at = quoted.op.type === 'message' && quoted.op.expiresAt !== undefined ? expiry(quoted.op.expiresAt) : '';
  const excerpt = JSON.stringify(gone ? '' : quoted.body);
  return `,"replyTo":{"seq":${quoted.seq},"senderId":"ann","excerpt":${excerpt}${at}${gone ? ',"redacted":true' : ''}}`;
}

function expiry(at: number): string {
  return `,"expiresAt":"${new Date(at).toISOString()}"`;
}
