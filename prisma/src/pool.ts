import pg from 'pg';
import { commitWaitCancelled, watchCommitWait } from './commit-wait.ts';
import { CommitUnconfirmed } from './errors.ts';

export type Pool = pg.Pool;

export interface PoolConfig {
  readonly connectionString: string;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  /** Connections at most. Default 10. */
  readonly max?: number;
  /** Milliseconds a statement may run; the wait for its answer ends a second later. Default 10,000. */
  readonly statementTimeoutMs?: number;
  /** Milliseconds to wait for a lock; the hot functions set their own. Default 2,000. */
  readonly lockTimeoutMs?: number;
  /** Milliseconds a transaction may idle before the server ends it. Default 10,000. */
  readonly idleInTransactionTimeoutMs?: number;
  /** Milliseconds to wait for a connection, the pool's queue included. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds after which an unused connection is closed. Default 300,000: a new one costs a login and all its plans anew, so bursts a minute apart should find it. */
  readonly idleTimeoutMs?: number;
  /** Hears what happens to connections nobody is using. The message names host and code, never the password. */
  readonly onError?: (error: Error) => void;
}

/**
 * Every hot statement is a lookup or a short range of an index. A plan cached while its tables were small would read them whole, and
 * would stay after they have grown; so the plans that could do that are not offered (tests/integration/db/plans.test.ts).
 */
const SESSION = [
  'default_transaction_isolation=read\\ committed',
  'enable_seqscan=off',
  'enable_bitmapscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  // Left to itself PostgreSQL plans a pull of one conversation anew each time (0.5 ms; the pull itself takes 0.15).
  'plan_cache_mode=force_generic_plan',
  'jit=off',
  // Below this nothing is read; the warning of a cancelled commit wait must arrive whatever the role's setting is.
  'client_min_messages=warning',
];

const INT8 = 20;

/**
 * The server ends a statement at its time-out; a server that is not heard of so much later is given up, and so is the connection. Only
 * the client can bound what a half-open connection costs.
 */
const SILENCE_GRACE_MS = 1_000;

/** bigint as a JS number, on these pools only: every one of ours stays below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/**
 * A pool whose sessions run READ COMMITTED with bounded statements, locks and idle transactions. The append's judgement depends
 * on that isolation: a statement must see what committed while it waited.
 *
 * @throws RangeError when the connection string is not a `postgres://` URL (it is not repeated in the message).
 */
export function createPool(config: PoolConfig): Pool {
  const { host, port } = place(config.connectionString);
  const onError = (error: Error): void => {
    config.onError?.(new Error(`a connection to the database at ${host}:${port} failed (${codeOf(error)})`));
  };
  const { statementTimeoutMs = 10_000 } = config;
  const pool = new pg.Pool({
    connectionString: config.connectionString,
    application_name: config.applicationName,
    max: config.max ?? 10,
    connectionTimeoutMillis: config.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: config.idleTimeoutMs ?? 300_000,
    // Longer than what lies in between may remember a silent connection.
    keepAlive: true,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + SILENCE_GRACE_MS,
    lock_timeout: config.lockTimeoutMs ?? 2_000,
    idle_in_transaction_session_timeout: config.idleInTransactionTimeoutMs ?? 10_000,
    options: SESSION.map((setting) => `-c ${setting}`).join(' '),
    types,
  });
  pool.query = ((query: string | pg.QueryConfig, values?: unknown[]) => queryOnce(pool, query, values)) as pg.Pool['query'];
  pool.on('error', onError);
  // While a client is checked out, the pool does not listen on it, and an unheard 'error' would end the process.
  pool.on('connect', (client) => {
    client.on('error', onError);
    watchCommitWait(client);
  });
  return pool;
}

/** What `pool.query` does, and no commit is taken for done whose wait was cancelled. Without callbacks: nobody here uses them. */
async function queryOnce(pool: Pool, query: string | pg.QueryConfig, values?: unknown[]): Promise<pg.QueryResult> {
  const client = await pool.connect();
  let clean = false;
  try {
    const result = await client.query(query, values);
    if (commitWaitCancelled(client)) throw new CommitUnconfirmed();
    clean = true;
    return result;
  } finally {
    client.release(!clean);
  }
}

/**
 * Lends a connection. One that comes back inside an open transaction, or after a failure, is destroyed: the next user must not
 * inherit it.
 *
 * @throws {CommitUnconfirmed} besides what `work` throws.
 */
export async function withClient<T>(pool: Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let clean = false;
  try {
    const result = await work(client);
    if (commitWaitCancelled(client)) throw new CommitUnconfirmed();
    clean = transactionStatus(client) === 'I';
    return result;
  } finally {
    client.release(!clean);
  }
}

function transactionStatus(client: pg.PoolClient): string | null {
  return client.getTransactionStatus();
}

function place(connectionString: string): { host: string; port: string } {
  const url = URL.parse(connectionString);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new RangeError('the database connection string is not a postgres:// URL');
  }
  return { host: url.hostname, port: url.port || '5432' };
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
