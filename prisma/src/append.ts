import { setTimeout as delay } from 'node:timers/promises';
import { DataError, TransactionConflict } from './errors.ts';
import type { Pool } from './pool.ts';
import { appendEntries } from './sql/append-entries.ts';
import { appendOne } from './sql/append-one.ts';
import { run } from './statement.ts';

/** Who speaks, and therefore what is judged; the table of what each mode skips stands at `judge_message` in the append migration. */
export type AppendMode = 'interactive' | 'scheduled' | 'on_behalf' | 'admin';

export interface AppendInput {
  readonly appId: string;
  readonly conversationId: string;
  /** The sender of a message, the actor of a membership change. */
  readonly senderId: string;
  /** Idempotency key per (conversation, sender); null is never a repeat. Membership changes ignore it: they are idempotent by nature. */
  readonly clientMsgId: string | null;
  /** Compared when the clientMsgId is known already. */
  readonly contentHash: Buffer | null;
  /** An entry type for plain messages, or `member.put` | `member.remove`. */
  readonly type: string;
  /** JSON text; for `member.put` `{"userId", "role"?}`, for `member.remove` `{"userId"}`. */
  readonly body: string | null;
  readonly targetSeq: number | null;
  readonly countable: boolean;
  readonly mode: AppendMode;
}

/**
 * `ok` written; `duplicate` written before with the same content (seq and createdAt are the original's); `conflict` written before
 * with other content; `not_found` no such conversation in this app; `unchanged` a membership change that changed nothing;
 * `repeat` not judged, send it again in a later call; the others refuse.
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
  | 'last_owner';

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
  /** The sender's own read position after the call; null for someone who never was a member. */
  readonly readSeq: number | null;
}

export interface AppendCall {
  /** The conversation that routes the call: one of the inputs'. */
  readonly route: string;
  /** UUID of the outbox row that the call writes when anything is `ok`. */
  readonly outboxId: string;
  readonly inputs: readonly AppendInput[];
}

const MEMBERSHIP = new Set(['member.put', 'member.remove']);

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
  const single = call.inputs.length === 1 && !MEMBERSHIP.has(first.type);
  for (let attempt = 0; ; attempt += 1) {
    try {
      return single ? await one(pool, call, first) : await many(pool, call);
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

function one(pool: Pool, call: AppendCall, input: AppendInput): Promise<AppendResult[]> {
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

function many(pool: Pool, { route, outboxId, inputs }: AppendCall): Promise<AppendResult[]> {
  return run<AppendRow>(pool, appendEntries, [
    route,
    outboxId,
    inputs.map((input) => input.appId),
    inputs.map((input) => input.conversationId),
    inputs.map((input) => input.senderId),
    inputs.map((input) => input.clientMsgId),
    inputs.map((input) => input.contentHash),
    inputs.map((input) => input.type),
    inputs.map((input) => input.body),
    inputs.map((input) => input.targetSeq),
    inputs.map((input) => input.countable),
    inputs.map((input) => input.mode),
  ]);
}

type AppendRow = AppendResult & Record<string, unknown>;
