import { expect } from 'vitest';
import type { TestDatabase } from '../../support/database.ts';

/** All that the database keeps of a conversation, and the feeds of those who are or were in it. Rows that wait to be published are not part of it. */
export async function stateOf(database: TestDatabase, conversationId: string): Promise<Record<string, unknown>> {
  const tables = await database.query<{ name: string }>(
    `select quote_ident(c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'conversation_id' and not a.attisdropped
      where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'outbox' order by 1`,
  );
  const rows = (sql: string) =>
    database.query<{ row: Record<string, unknown> }>(sql, [conversationId]).then((found) => found.map(({ row }) => row));
  const state: Record<string, unknown> = {
    conversation: await rows('select to_jsonb(t) as row from conversation t where id = $1'),
    feeds: await rows(
      `select to_jsonb(t) as row from feed t where (app_id, user_id) in (select app_id, user_id from member where conversation_id = $1)
        order by user_id, subject`,
    ),
  };
  for (const { name } of tables) {
    state[name] = await rows(`select to_jsonb(t) as row from ${name} t where conversation_id = $1 order by t::text`);
  }
  return state;
}

/** Runs attempts that must all fail, and checks that none left anything: no entry, no row of a member, nothing in a feed. */
export async function leavesAllAsItWas(database: TestDatabase, conversationId: string, attempts: () => Promise<void>): Promise<void> {
  const before = await stateOf(database, conversationId);
  await attempts();
  expect(await stateOf(database, conversationId), 'nothing half done').toEqual(before);
}
