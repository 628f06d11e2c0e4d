import type { TestDatabase } from '../../support/database.ts';

/** A time further ahead than any test takes: see {@link letCome}. */
export const later = (): string => new Date(Date.now() + 3_600_000).toISOString();

/** Lets the time come, now or in so many ms, of all that waits for a conversation; answers when that is, ms since 1970. */
export async function letCome(database: TestDatabase, conversationId: string, inMs = 0): Promise<number> {
  const [due] = await database.query<{ sendAt: Date }>(
    `update scheduled set send_at = date_trunc('milliseconds', clock_timestamp()) + make_interval(secs => $2)
      where conversation_id = $1 returning send_at as "sendAt"`,
    [conversationId, inMs / 1_000],
  );
  if (due === undefined) throw new Error('nothing waits');
  await database.query(`update jobs.job set start_after = $1 where name = 'scheduled' and state in ('created', 'retry')`, [due.sendAt]);
  return due.sendAt.getTime();
}
