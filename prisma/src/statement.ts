import type { QueryResultRow } from 'pg';
import { commitWaitCancelled } from './commit-wait.ts';
import { CommitUnconfirmed, classify, DataError, LockTimeout, sqlStateOf, TransactionConflict } from './errors.ts';
import type { Pool } from './pool.ts';

/** One prepared statement; its name is its identity on a connection, so equal names must have equal texts. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/**
 * Runs a named prepared statement, one round trip once the connection knows it. A statement that PostgreSQL refused leaves its
 * connection as it was, so it goes back to the pool with the plans it has cached; `pool.query` would close it, and a conversation under
 * contention would cost a connection per lock time-out. After any other failure the connection is closed.
 *
 * @throws {DatabaseUnavailable | LockTimeout | DataError | TransactionConflict} see `classify`.
 */
export async function run<Row extends QueryResultRow>(pool: Pool, statement: Statement, values: readonly unknown[]): Promise<Row[]> {
  // Each idle connection may hold a plan from before a migration.
  for (let stale = 0; ; stale += 1) {
    try {
      return await runOnce<Row>(pool, statement, values);
    } catch (error) {
      if (stale > pool.options.max || !PLAN_IS_STALE.has(sqlStateOf(error) ?? '')) throw classify(error);
    }
  }
}

/**
 * A migration changed the type of a column that a plan of this connection answers (0A000) or hands to an expression (42804). Nothing was
 * written, and the connection is closed: a new one makes its plans anew.
 */
const PLAN_IS_STALE: ReadonlySet<string> = new Set(['0A000', '42804']);

async function runOnce<Row extends QueryResultRow>(pool: Pool, statement: Statement, values: readonly unknown[]): Promise<Row[]> {
  const client = await pool.connect();
  let usable = false;
  try {
    const result = await client.query<Row>({ name: statement.name, text: statement.text, values: [...values] });
    if (commitWaitCancelled(client)) throw new CommitUnconfirmed();
    usable = true;
    return result.rows;
  } catch (error) {
    usable = wasRefused(error);
    throw error;
  } finally {
    client.release(!usable);
  }
}

function wasRefused(error: unknown): boolean {
  const known = classify(error);
  return known instanceof LockTimeout || known instanceof DataError || known instanceof TransactionConflict;
}

/** The only row of a statement that always answers one. */
export async function runOne<Row extends QueryResultRow>(pool: Pool, statement: Statement, values: readonly unknown[]): Promise<Row> {
  const [row] = await run<Row>(pool, statement, values);
  if (row === undefined) throw new Error(`${statement.name} answered no row`);
  return row;
}
