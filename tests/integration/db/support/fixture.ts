import { randomUUID } from 'node:crypto';
import {
  type AppendInput,
  type AppendResult,
  append,
  type ConversationType,
  createApp,
  createConversation,
  createPool,
  type History,
  markRead,
  type Pool,
} from '@nudge/db';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';

/** A migrated database with the app `a`, and a pool on it. */
export interface Fixture extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly pool: Pool;
}

export async function createFixture(max = 6): Promise<Fixture> {
  const database = await createTestDatabase();
  const pool = createPool({ connectionString: database.connectionString, applicationName: 'db-test', max });
  await createApp(pool, { id: 'a' });
  return {
    database,
    pool,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await database[Symbol.asyncDispose]();
    },
  };
}

export interface Group {
  readonly type?: ConversationType;
  readonly appId?: string;
  readonly history?: History;
}

/** Creates a conversation of these people, the first of them its creator; answers its id. */
export async function converse(pool: Pool, people: readonly [string, ...string[]], group: Group = {}): Promise<string> {
  const id = randomUUID();
  const [createdBy, ...members] = people;
  const { type = 'group', appId = 'a', history = 'full' } = group;
  const base = { id, appId, type, createdBy, members, history };
  const made = await createConversation(pool, { ...base, title: null, metadata: null, outboxId: randomUUID() });
  if (made?.created !== true) throw new Error('the conversation was there already');
  return id;
}

/** A message as its sender would write it; the content hash is its text. */
export function message(conversationId: string, senderId: string, overrides: Partial<AppendInput> & { text?: string } = {}): AppendInput {
  const { text = 'hello', ...rest } = overrides;
  return {
    appId: 'a',
    conversationId,
    senderId,
    clientMsgId: randomUUID(),
    contentHash: Buffer.from(text),
    type: 'message',
    body: JSON.stringify({ text }),
    targetSeq: null,
    countable: true,
    mode: 'interactive',
    ...rest,
  };
}

/** A membership change asked for by `actor`. */
export function change(
  conversationId: string,
  actor: string,
  type: 'member.put' | 'member.remove',
  args: { userId: string; role?: string },
  overrides: Partial<AppendInput> = {},
): AppendInput {
  const rest = { clientMsgId: null, contentHash: null, countable: false, ...overrides };
  return { ...message(conversationId, actor), type, body: JSON.stringify(args), ...rest };
}

/** Appends in one call. */
export function send(pool: Pool, ...inputs: [AppendInput, ...AppendInput[]]): Promise<AppendResult[]> {
  return append(pool, { route: inputs[0].conversationId, outboxId: randomUUID(), inputs });
}

/** Appends one input. */
export async function sendOne(pool: Pool, input: AppendInput): Promise<AppendResult> {
  const [result] = await send(pool, input);
  if (result === undefined) throw new Error('append answered nothing');
  return result;
}

/** Statuses of a call, in order. */
export async function statuses(pool: Pool, ...inputs: [AppendInput, ...AppendInput[]]): Promise<string[]> {
  return (await send(pool, ...inputs)).map((result) => result.status);
}

/** Marks one position read. */
export async function readUpTo(pool: Pool, conversationId: string, userId: string, seq: number, appId = 'a') {
  const [result] = await markRead(pool, {
    route: conversationId,
    outboxId: randomUUID(),
    inputs: [{ appId, conversationId, userId, seq }],
  });
  if (result === undefined) throw new Error('markRead answered nothing');
  return result;
}

/** Fails unless the log of a conversation is 1..head without gaps, with the counters that its entries say. */
export async function assertLog(database: TestDatabase, conversationId: string): Promise<void> {
  const [row] = await database.query<{ broken: string | null }>(
    `with e as (select seq, message_no, countable, row_number() over (order by seq) as n, count(*) filter (where countable) over (order by seq) as no
                from entry where conversation_id = $1)
     select case
         when exists (select from e where seq <> n) then 'a gap'
         when exists (select from e where message_no <> no) then 'a wrong message_no'
         when c.last_seq <> (select max(seq) from e) then 'a wrong last_seq'
         when c.message_count <> (select count(*) from e where countable) then 'a wrong message_count'
         when c.last_message_seq is distinct from (select max(seq) from e where countable) then 'a wrong last_message_seq'
         when c.member_count <> (select count(*) from member m where m.conversation_id = c.id and m.left_seq is null) then 'a wrong member_count'
       end as broken
     from conversation c where c.id = $1`,
    [conversationId],
  );
  if (row === undefined) throw new Error('there is no such conversation');
  if (row.broken !== null) throw new Error(`conversation ${conversationId} has ${row.broken}`);
}
