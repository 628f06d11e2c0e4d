import { expect } from 'vitest';
import type { TestDatabase } from '../../../support/database.ts';
import type { ApiAnswer } from './api-server.ts';

/** Everything stored of a conversation, but for when its members last sent. */
const tables: Readonly<Record<string, string>> = {
  conversation: 'select * from conversation where id = $1',
  member: `select to_jsonb(m) - 'last_sent_at' as row from member m where conversation_id = $1 order by user_id`,
  entry: 'select * from entry where conversation_id = $1 order by seq',
  entry_version: 'select * from entry_version where conversation_id = $1 order by seq, edit_seq',
  reaction: 'select * from reaction where conversation_id = $1 order by seq, user_id, emoji',
  pin: 'select * from pin where conversation_id = $1 order by seq',
  mention: 'select * from mention where conversation_id = $1 order by user_id, seq',
};

async function stored(database: TestDatabase, conversationId: string): Promise<Record<string, unknown>> {
  const rows = await Promise.all(
    Object.entries(tables).map(async ([table, text]) => [table, await database.query(text, [conversationId])] as const),
  );
  return Object.fromEntries(rows);
}

/** Expects the request to be refused with `code` (`404 not_found`), and everything stored of the conversation to be as it was. */
export async function refusedWhole(
  database: TestDatabase,
  conversationId: string,
  request: () => Promise<ApiAnswer>,
  code: string,
): Promise<ApiAnswer> {
  const before = await stored(database, conversationId);
  const answer = await request();
  expect(`${answer.status} ${answer.body.code}`).toBe(code);
  expect(await stored(database, conversationId)).toEqual(before);
  return answer;
}
