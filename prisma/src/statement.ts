import type { QueryResultRow } from 'pg';
import { classify } from './errors.ts';
import type { Pool } from './pool.ts';

/** One prepared statement; its name is its identity on a connection, so equal names must have equal texts. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/**
 * Runs a named prepared statement, one round trip once the connection knows it.
 *
 * @throws {DatabaseUnavailable | LockTimeout | DataError | TransactionConflict} see `classify`.
 */
export async function run<Row extends QueryResultRow>(pool: Pool, statement: Statement, values: readonly unknown[]): Promise<Row[]> {
  try {
    const result = await pool.query<Row>({ name: statement.name, text: statement.text, values: [...values] });
    return result.rows;
  } catch (error) {
    throw classify(error);
  }
}

/** The only row of a statement that always answers one. */
export async function runOne<Row extends QueryResultRow>(pool: Pool, statement: Statement, values: readonly unknown[]): Promise<Row> {
  const [row] = await run<Row>(pool, statement, values);
  if (row === undefined) throw new Error(`${statement.name} answered no row`);
  return row;
}
