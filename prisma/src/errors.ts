import pg from 'pg';

/** What this package throws on purpose, as opposed to what it passes on. */
export class DbError extends Error {}

/** The database cannot answer now (down, starting, full, out of connections, cancelled). Retryable; a write's outcome is unknown. */
export class DatabaseUnavailable extends DbError {
  override readonly name = 'DatabaseUnavailable';
  /** The code under which an edge answers it. */
  readonly problemCode = 'database_unavailable';
  readonly code: string | null;
  constructor(code: string | null, cause: unknown) {
    super(`the database is unavailable${code === null ? '' : ` (${code})`}`, { cause });
    this.code = code;
  }
}

/** The commit's wait for a synchronous standby was cancelled: it is done here and perhaps nowhere else. As {@link DatabaseUnavailable}. */
export class CommitUnconfirmed extends DatabaseUnavailable {
  constructor() {
    super(null, new Error('the wait for a synchronous standby was cancelled'));
  }
}

/** A lock was not granted within `lock_timeout`: nothing was written. The caller may try again or isolate what it waits for. */
export class LockTimeout extends DbError {
  override readonly name = 'LockTimeout';
  /** The code under which an edge answers it. */
  readonly problemCode = 'overloaded';
  readonly code = '55P03';
  constructor(cause: unknown) {
    super('a row lock was not granted in time', { cause });
  }
}

/** PostgreSQL refused a value (SQLSTATE class 22, 23 or 54): nothing was written, and the same input will fail again. */
export class DataError extends DbError {
  override readonly name = 'DataError';
  readonly code: string;
  constructor(code: string, cause: unknown) {
    super(`the database refused the data (${code})`, { cause });
    this.code = code;
  }
}

/** Two transactions got in each other's way (40001, 40P01): nothing was written; the same call may succeed when repeated. */
export class TransactionConflict extends DbError {
  override readonly name = 'TransactionConflict';
  /** The code under which an edge answers it. */
  readonly problemCode = 'overloaded';
  readonly code: string;
  constructor(code: string, cause: unknown) {
    super(`concurrent transactions conflicted (${code})`, { cause });
    this.code = code;
  }
}

/** Connection exceptions, resources, operator intervention, I/O: states of the server, not of the call. */
const UNAVAILABLE_CLASSES = new Set(['08', '53', '57', '58']);
const DATA_CLASSES = new Set(['22', '23', '54']);
/** A primary that became a standby (or a replica that got a write) answers this until the route changes. */
const READ_ONLY = '25006';

/** The SQLSTATE of an error raised by PostgreSQL, else null. */
export function sqlStateOf(error: unknown): string | null {
  return error instanceof pg.DatabaseError && typeof error.code === 'string' ? error.code : null;
}

/**
 * Turns what `pg` threw into an error of this package, by SQLSTATE or errno and never by message text. What is neither a server
 * error nor a failure of the connection (a bug in the call, an unknown SQLSTATE) is returned as it is.
 */
export function classify(error: unknown): unknown {
  const state = sqlStateOf(error);
  if (state !== null) {
    const group = state.slice(0, 2);
    if (state === '55P03') return new LockTimeout(error);
    if (state === '40001' || state === '40P01') return new TransactionConflict(state, error);
    if (DATA_CLASSES.has(group)) return new DataError(state, error);
    if (UNAVAILABLE_CLASSES.has(group) || state === READ_ONLY) return new DatabaseUnavailable(state, error);
    return error;
  }
  if (!(error instanceof Error) || error instanceof DbError || error instanceof TypeError || error instanceof RangeError) return error;
  // The driver itself has no codes: a lost connection and a full pool are plain errors, a socket failure carries an errno.
  const errno = 'code' in error && typeof error.code === 'string' ? error.code : null;
  return new DatabaseUnavailable(errno, error);
}
