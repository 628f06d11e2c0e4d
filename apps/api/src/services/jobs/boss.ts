import { type ConstructorOptions, PgBoss } from 'pg-boss';

/** The library's own schema. */
const SCHEMA = 'jobs';

/** The queue of what is done again and again. */
export const PERIODIC = 'periodic';

/** Connections to the database; they are opened when needed and closed when idle. */
const CONNECTIONS = 2;

const bounded = '-c statement_timeout=10000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000';

/** The library, with everything switched off that it would do by itself: what it is to look after is asked of it as a job. */
export function createBoss(connectionString: string, options: Pick<ConstructorOptions, 'migrate' | 'options'> = {}): PgBoss {
  return new PgBoss({
    connectionString,
    schema: SCHEMA,
    application_name: 'nudge-jobs',
    max: CONNECTIONS,
    options: bounded,
    migrate: false,
    schedule: false,
    supervise: false,
    reindex: false,
    monitorVacuum: false,
    monitorIntervalSeconds: 30,
    maintenanceIntervalSeconds: 600,
    ...options,
  });
}
