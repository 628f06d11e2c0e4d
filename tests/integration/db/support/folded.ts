import type { TestDatabase } from '../../../support/database.ts';

/** Columns of an entry that acting entries and the job's clock change. Arrays are text[], objects jsonb. */
export type Folded = Readonly<Record<string, string | number | boolean | readonly string[] | object | null>>;

/** Sets columns of an entry past the append, which judges; keys are the table's column names. */
export async function setEntry(database: TestDatabase, conversationId: string, seq: number, columns: Folded): Promise<void> {
  const names = Object.keys(columns);
  const values = Object.entries(columns).map(([name, value]) => (name === 'body' || name === 'reactions' ? JSON.stringify(value) : value));
  const list = names.map((name, index) => `${name} = $${index + 3}`).join(', ');
  await database.query(`update entry set ${list} where conversation_id = $1 and seq = $2`, [conversationId, seq, ...values]);
}

/** Names users in a message, as an append with mentions does: on the entry, and a row for each but its sender. */
export async function mentionUsers(database: TestDatabase, conversationId: string, seq: number, users: readonly string[]): Promise<void> {
  await setEntry(database, conversationId, seq, { mentions: users });
  await database.query(
    `insert into mention (conversation_id, user_id, seq, expires_at)
     select $1, u, $2, e.expires_at from unnest($3::text[]) u join entry e on e.conversation_id = $1 and e.seq = $2 where u <> e.sender_id`,
    [conversationId, seq, users],
  );
}

/** Writes reactions, a millisecond apart. */
export async function react(database: TestDatabase, conversationId: string, seq: number, by: readonly (readonly [string, string])[]) {
  for (const [index, [user, emoji]] of by.entries()) {
    const at = new Date(Date.UTC(2026, 0, 1, 0, 0, 0, index)).toISOString();
    await database.query('insert into reaction (conversation_id, seq, user_id, emoji, created_at) values ($1, $2, $3, $4, $5)', [
      conversationId,
      seq,
      user,
      emoji,
      at,
    ]);
  }
}
