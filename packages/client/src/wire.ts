import type { ConversationDelta, EntriesPage, LogName, Notify, SyncAnswer } from '@nudge/types';
import { NudgeError } from './errors.ts';

/**
 * The least that must hold of an answer before the machines see it. The schemas of @nudge/types say more; they are not loaded here,
 * because a browser would need zod for it and a newer server may add fields.
 */

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSeq(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isItems(value: unknown, position: 'seq' | 'version'): boolean {
  return Array.isArray(value) && value.every((item) => isObject(item) && isSeq(item[position]));
}

function isPage(value: Json): boolean {
  return (
    isItems(value.entries, 'seq') && isObject(value.mine) && isSeq(value.head) && isSeq(value.oldestSeq) && typeof value.more === 'boolean'
  );
}

function isDelta(value: unknown): value is ConversationDelta {
  if (!isObject(value)) return false;
  if (isObject(value.error)) return typeof value.error.code === 'string' && typeof value.error.retryable === 'boolean';
  const tooLong = value.tooLong;
  return isPage(value) && (tooLong === undefined || tooLong === null || (isObject(tooLong) && isSeq(tooLong.snapshotSeq)));
}

/** A page of one conversation, or {@link NudgeError} `bad_answer`. */
export function entriesPage(value: unknown): EntriesPage {
  if (isObject(value) && isSeq(value.epoch) && isPage(value)) return value as EntriesPage;
  throw badAnswer('a page of entries');
}

/** The answer to `POST /v1/sync`, or {@link NudgeError} `bad_answer`. */
export function syncAnswer(value: unknown): SyncAnswer {
  const valid =
    isObject(value) &&
    isSeq(value.epoch) &&
    typeof value.serverTime === 'string' &&
    !Number.isNaN(Date.parse(value.serverTime)) &&
    isObject(value.conversations) &&
    Object.values(value.conversations).every(isDelta) &&
    (value.app === undefined || value.app === null || isApp(value.app)) &&
    (value.feed === undefined || value.feed === null || isFeed(value.feed)) &&
    (value.heads === undefined || value.heads === null || isHeads(value.heads));
  if (valid) return value as SyncAnswer;
  throw badAnswer('a sync answer');
}

function isFeed(value: unknown): boolean {
  return (
    isObject(value) &&
    isSeq(value.version) &&
    typeof value.more === 'boolean' &&
    isItems(value.items, 'version') &&
    (value.items as Json[]).every((item) => typeof item.subject === 'string' && isObject(item.state))
  );
}

function isApp(value: unknown): boolean {
  return isObject(value) && isSeq(value.head) && typeof value.more === 'boolean' && isItems(value.entries, 'seq');
}

function isHeads(value: unknown): boolean {
  return (
    isObject(value) &&
    Array.isArray(value.items) &&
    value.items.every((item) => isObject(item) && typeof item.id === 'string' && isSeq(item.lastSeq))
  );
}

/** What a notification says. A key that is not well formed is dropped, since it is only a hint. */
export function readNotify(notify: Notify): {
  readonly keys: readonly [log: LogName, seq: number][];
  readonly resync: boolean;
  readonly traceparent?: string;
} {
  const said: unknown = notify;
  if (!isObject(said)) return { keys: [], resync: false };
  const keys = Array.isArray(said.keys) ? said.keys : [];
  return {
    keys: keys.filter((key): key is [LogName, number] => Array.isArray(key) && typeof key[0] === 'string' && isSeq(key[1])),
    resync: said.resync === true,
    // It becomes a header: nothing else may get into one.
    ...(typeof said.traceparent === 'string' && /^[0-9a-f-]{55}$/.test(said.traceparent) ? { traceparent: said.traceparent } : {}),
  };
}

function badAnswer(what: string): NudgeError {
  return new NudgeError('bad_answer', `the server's answer is not ${what}`, { retryable: true });
}
