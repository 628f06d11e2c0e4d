import type { AppendInput, AppendOp, AppendResult, Pool } from '@nudge/db';
import type { TestDatabase } from '../../../support/database.ts';
import { message, sendOne } from './fixture.ts';

interface ActFields extends Partial<Omit<AppendInput, 'body' | 'extra'>> {
  readonly body?: unknown;
  readonly extra?: unknown;
}

/** An op as its actor would ask for it; `body` and `extra` as values. */
export function act(conversationId: string, actor: string, type: AppendOp, target: number | null, fields: ActFields = {}): AppendInput {
  const { body = null, extra, ...rest } = fields;
  const base = message(conversationId, actor, { clientMsgId: null, contentHash: null, countable: false, targetSeq: target, ...rest });
  return { ...base, type, body: body === null ? null : JSON.stringify(body), extra: extra === undefined ? null : JSON.stringify(extra) };
}

/** What one user does in one conversation. */
export function actor(pool: Pool, conversationId: string, userId: string) {
  const run = (type: AppendOp, target: number | null, fields?: ActFields): Promise<AppendResult> =>
    sendOne(pool, act(conversationId, userId, type, target, fields));
  return {
    run,
    /** Sends a message and answers its seq. */
    async say(text: string, extra?: unknown): Promise<number> {
      const overrides = extra === undefined ? {} : { extra: JSON.stringify(extra) };
      const { status, seq } = await sendOne(pool, message(conversationId, userId, { text, ...overrides }));
      if (seq === null) throw new Error(`the message was answered ${status}`);
      return seq;
    },
    edit: (target: number, text: string, extra?: unknown) => run('message.edited', target, { body: { text }, extra }),
    redact: (target: number) => run('message.redacted', target),
    react: (target: number, emoji: string) => run('reaction.added', target, { body: { emoji } }),
    unreact: (target: number, emoji: string) => run('reaction.removed', target, { body: { emoji } }),
    pin: (target: number) => run('message.pinned', target),
    unpin: (target: number) => run('message.unpinned', target),
    update: (wanted: object, fields?: ActFields) => run('conversation.updated', null, { ...fields, body: wanted }),
    member: (change: string, userId: string, args: object = {}, fields?: ActFields) =>
      run(`member.${change}` as AppendOp, null, { ...fields, body: { userId, ...args } }),
  };
}

export interface StoredEntry {
  readonly seq: number;
  readonly type: string;
  readonly sender_id: string;
  readonly target_seq: number | null;
  readonly state_seq: number | null;
  readonly body: Record<string, unknown> | null;
  readonly mentions: string[] | null;
  readonly reactions: { emoji: string; count: number; users: string[] }[] | null;
  readonly reply_seq: number | null;
  readonly edit_seq: number | null;
  readonly countable: boolean;
  readonly created_at: Date;
  readonly edited_at: Date | null;
  readonly redacted_at: Date | null;
  readonly pinned_at: Date | null;
  readonly expires_at: Date | null;
}

const COLUMNS = `seq::int, type, sender_id, target_seq::int, state_seq::int, body, mentions, reactions, reply_seq::int, edit_seq::int, countable,
  created_at, edited_at, redacted_at, pinned_at, expires_at`;

/** The whole log as it is stored, seq ascending. */
export function storedLog(database: TestDatabase, conversationId: string): Promise<StoredEntry[]> {
  return database.query<StoredEntry>(`select ${COLUMNS} from entry where conversation_id = $1 order by seq`, [conversationId]);
}

/** One entry as it is stored. */
export async function storedEntry(database: TestDatabase, conversationId: string, seq: number): Promise<StoredEntry> {
  const [row] = await database.query<StoredEntry>(`select ${COLUMNS} from entry where conversation_id = $1 and seq = $2`, [
    conversationId,
    seq,
  ]);
  if (row === undefined) throw new Error(`there is no entry ${seq}`);
  return row;
}

/** Tables of the schema in which some row, as text, contains `needle`. */
export async function tablesWith(database: TestDatabase, needle: string): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    "select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind in ('r', 'p')",
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await database.query(`select 1 from ${name} t where position($1 in t::text) > 0 limit 1`, [needle]);
    if (rows.length > 0) found.push(name);
  }
  return found;
}
