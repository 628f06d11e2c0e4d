import { setTimeout as delay } from 'node:timers/promises';
import { DataError, TransactionConflict } from './errors.ts';
import type { Pool } from './pool.ts';
import { appendEntries } from './sql/append-entries.ts';
import { appendFew, FEW } from './sql/append-few.ts';
import { appendOne } from './sql/append-one.ts';
import { run } from './statement.ts';

/** Who speaks, and therefore what is judged; the table of what each mode skips stands at `judge_message_v2` in the migrations. */
export type AppendMode = 'interactive' | 'scheduled' | 'on_behalf' | 'admin';

export interface AppendInput {
  readonly appId: string;
  readonly conversationId: string;
  /** The sender of a message, the actor of any other change; `$system` in mode `admin`. */
  readonly senderId: string;
  /** Idempotency key per (conversation, sender); null is never a repeat. Changes of members and of the conversation ignore it: they are idempotent by nature. */
  readonly clientMsgId: string | null;
  /** Compared when the clientMsgId is known already. */
  readonly contentHash: Buffer | null;
  /** `message` or `custom.*`, or an {@link AppendOp}, which is the only input of its conversation in a call (see `repeat`). */
  readonly type: string;
  /**
   * JSON text: what a message says; what an edit says instead; for reactions `{"emoji"}`; for `conversation.updated` any of title,
   * avatarUrl, metadata, frozen, slowModeSeconds, retentionSeconds (absent and null leave alone, `''` and `{}` clear); for `member.*`
   * `{"userId"}` with `role`? (put), `until` (mute: RFC 3339, null or past unmutes; ban: RFC 3339, null for ever).
   */
  readonly body: string | null;
  /** The seq that an act on a message changes. */
  readonly targetSeq: number | null;
  /** Of a message; an op never counts. */
  readonly countable: boolean;
  readonly mode: AppendMode;
  /**
   * JSON text or null: of a message `{"replyTo"?: seq, "mentions"?: [userId], "expiresInSeconds"?}`; of `message.edited`
   * `{"mentions"?: [userId], "ifStateSeq"?}`, absent mentions being none.
   */
  readonly extra?: string | null;
}

/** What changes something that is there already. Acts on messages, then the conversation, then its members. */
export type AppendOp =
  | 'message.edited'
  | 'message.redacted'
  | 'reaction.added'
  | 'reaction.removed'
  | 'message.pinned'
  | 'message.unpinned'
  | 'conversation.updated'
  | 'member.put'
  | 'member.remove'
  | 'member.transfer'
  | 'member.mute'
  | 'member.ban'
  | 'member.unban';

/**
 * `ok` written; `duplicate` written before with the same content (seq and createdAt are the original's); `conflict` written before
 * with other content; `not_found` no such conversation in this app; `unchanged` an op that would change nothing (no entry, seq null);
 * `repeat` not judged, send it again in a later call; the others refuse. Of acts: `target_missing` no such entry, or not visible to the
 * actor (of member ops: not a current member); `target_invalid` not a message; `target_redacted` its content is gone; `state_changed`
 * the target's stateSeq is not `ifStateSeq`. Of messages and edits: `reply_missing`, `mention_stranger`.
 */
export type AppendStatus =
  | 'ok'
  | 'duplicate'
  | 'conflict'
  | 'not_found'
  | 'not_member'
  | 'forbidden'
  | 'banned'
  | 'frozen'
  | 'muted'
  | 'slow_mode'
  | 'repeat'
  | 'unchanged'
  | 'last_owner'
  | 'blocked'
  | 'target_missing'
  | 'target_invalid'
  | 'target_redacted'
  | 'state_changed'
  | 'reply_missing'
  | 'mention_stranger'
  | 'limit_reached';

export interface AppendResult {
  readonly status: AppendStatus;
  readonly seq: number | null;
  /** RFC 3339, three decimals. */
  readonly createdAt: string | null;
  readonly memberVersion: number | null;
  readonly memberCount: number | null;
  readonly conversationType: string | null;
  /** With `slow_mode`: when the sender may send again. */
  readonly retryAt: string | null;
  /** The same as milliseconds from the answer on, by the database's clock. */
  readonly retryInMs: number | null;
  /** The sender's own read position after the call; null for someone who never was a member. */
  readonly readSeq: number | null;
  /** Users whose member row changed by an op: their feeds have to be mirrored. */
  readonly touched: readonly string[];
}

export interface AppendCall {
  /** The conversation that routes the call: one of the inputs'. */
  readonly route: string;
  /** UUID of the outbox row that the call writes when anything is `ok`. */
  readonly outboxId: string;
  readonly inputs: readonly AppendInput[];
}

const OPS: ReadonlySet<string> = new Set<AppendOp>([
  'message.edited',
  'message.redacted',
  'reaction.added',
  'reaction.removed',
  'message.pinned',
  'message.unpinned',
  'conversation.updated',
  'member.put',
  'member.remove',
  'member.transfer',
  'member.mute',
  'member.ban',
  'member.unban',
]);
const NOBODY: readonly string[] = [];

/** Milliseconds before each further attempt, by SQLSTATE. A deadlock's victim waits longer than one that lost an index race. */
const RETRY_DELAYS: Readonly<Record<string, readonly number[]>> = {
  '40001': [5, 20, 60],
  '40P01': [10, 40, 120],
  '23505': [0, 5, 20],
};

/**
 * Appends in one transaction and one round trip: one result per input, in order. Appends to different conversations may share a
 * call when they share a route.
 *
 * @throws {LockTimeout} a conversation or member row stayed locked; nothing was written.
 * @throws {DataError} some input cannot be stored; nothing was written. Halve the batch to find it.
 * @throws {DatabaseUnavailable} the outcome is unknown; the same clientMsgIds settle it.
 */
export async function append(pool: Pool, call: AppendCall): Promise<AppendResult[]> {
  const [first] = call.inputs;
  if (first === undefined) return [];
  const plain = call.inputs.length <= FEW && call.inputs.every(({ type, extra }) => !OPS.has(type) && (extra ?? null) === null);
  for (let attempt = 0; ; attempt += 1) {
    try {
      const rows = !plain ? await many(pool, call) : call.inputs.length === 1 ? await one(pool, call, first) : await few(pool, call);
      for (const row of rows) row.touched ??= NOBODY;
      return rows as AppendResult[];
    } catch (error) {
      const wait = retryDelay(error, attempt);
      if (wait === undefined) throw error;
      await delay(wait);
    }
  }
}

function retryDelay(error: unknown, attempt: number): number | undefined {
  if (!(error instanceof TransactionConflict || error instanceof DataError)) return undefined;
  return RETRY_DELAYS[error.code]?.[attempt];
}

function one(pool: Pool, call: AppendCall, input: AppendInput): Promise<AppendRow[]> {
  return run<AppendRow>(pool, appendOne, [
    input.conversationId,
    call.outboxId,
    input.appId,
    input.senderId,
    input.clientMsgId,
    input.contentHash,
    input.type,
    input.body,
    input.targetSeq,
    input.countable,
    input.mode,
  ]);
}

async function few(pool: Pool, call: AppendCall): Promise<AppendRow[]> {
  const rows = await run<AppendRow>(pool, appendFew, columnsOf(call));
  // Each answers its sender's position after itself: what counts is the one after the call.
  const positions = new Map<string, number>();
  const keys = call.inputs.map(({ conversationId, senderId }) => `${conversationId}/${senderId}`);
  for (const [index, { readSeq }] of rows.entries()) if (readSeq !== null) positions.set(keys[index] ?? '', readSeq);
  return rows.map((row, index) => ({ ...row, readSeq: positions.get(keys[index] ?? '') ?? row.readSeq }));
}

function many(pool: Pool, call: AppendCall): Promise<AppendRow[]> {
  const { inputs } = call;
  const extras = inputs.some((input) => (input.extra ?? null) !== null) ? inputs.map((input) => input.extra ?? null) : null;
  return run<AppendRow>(pool, appendEntries, [...columnsOf(call), extras]);
}

/** An array that is null as a whole reads as one of nulls, and costs nothing. */
function columnsOf({ route, outboxId, inputs }: AppendCall): unknown[] {
  return [
    route,
    outboxId,
    inputs.map((input) => input.appId),
    inputs.map((input) => input.conversationId),
    inputs.map((input) => input.senderId),
    inputs.map((input) => input.clientMsgId),
    inputs.map((input) => input.contentHash),
    inputs.map((input) => input.type),
    inputs.map((input) => input.body),
    inputs.some((input) => input.targetSeq !== null) ? inputs.map((input) => input.targetSeq) : null,
    inputs.map((input) => input.countable),
    inputs.map((input) => input.mode),
  ];
}

/** `append_one` and `append_few`, which touch no other member, have no such column. */
type AppendRow = Omit<AppendResult, 'touched'> & { touched?: readonly string[] | null };
