import { classify, DbError } from '../errors.ts';
import { type Pool, withClient } from '../pool.ts';
import { run, runOne, type Statement } from '../statement.ts';

/** One history of one PostgreSQL cluster: `initdb` gives the identifier, every promotion and restore to a point in time a new timeline. */
export interface ClusterIdentity {
  readonly systemIdentifier: string;
  readonly timeline: number;
}

export interface IdentityReading {
  /** Of the cluster that answers. */
  readonly actual: ClusterIdentity;
  /** The one that the epochs of the apps are true of. */
  readonly recorded: ClusterIdentity;
  /** Changes with every `nudge epoch keep` and `bump`. */
  readonly recordedAt: string;
}

/** The cluster is a standby: nothing can be written, and whose history it will continue is not decided. */
export class IsStandby extends DbError {
  override readonly name = 'IsStandby';
  readonly problemCode = 'database_unavailable';
  constructor() {
    super('the database is a standby: DATABASE_URL must name the primary');
  }
}

/**
 * The timeline as the WAL is being written. Rejected: `pg_control_checkpoint().timeline_id`, which follows a promotion only with the next
 * checkpoint, minutes later.
 */
const actual = `select s.system_identifier::text as system, case when pg_is_in_recovery() then null
      else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer end as timeline from pg_control_system() s`;

/** No lock. One row. */
const read: Statement = {
  name: 'read_identity',
  text: `select a.system as "actualSystem", a.timeline as "actualTimeline", i.system_identifier as "recordedSystem", i.timeline as "recordedTimeline",
      i.recorded_at::text as "recordedAt"
    from (${actual}) a left join database_identity i on true`,
};

/** Locks: the only row. Of two first starts at once the one writes, the other finds the same there. */
const record: Statement = {
  name: 'record_identity',
  text: `insert into database_identity (system_identifier, timeline) select a.system, a.timeline from (${actual}) a where a.timeline is not null
    on conflict (id) do nothing`,
};

/** Locks: the only row. */
const replace = `insert into database_identity as i (system_identifier, timeline) select a.system, a.timeline from (${actual}) a where a.timeline is not null
    on conflict (id) do update set system_identifier = excluded.system_identifier, timeline = excluded.timeline,
      recorded_at = greatest(clock_timestamp(), i.recorded_at + interval '1 ms')
    returning i.system_identifier as "systemIdentifier", i.timeline`;

/** Locks: every app's row, which nothing hot takes. */
const bump = 'update app set epoch = epoch + 1';

interface Row extends Record<string, unknown> {
  readonly actualSystem: string;
  readonly actualTimeline: number | null;
  readonly recordedSystem: string | null;
  readonly recordedTimeline: number | null;
  readonly recordedAt: string | null;
}

/**
 * Which cluster answers and which one is recorded. The first reading of a database records it.
 *
 * @throws {IsStandby | DatabaseUnavailable}
 */
export async function readIdentity(pool: Pool): Promise<IdentityReading> {
  const found = reading(await runOne<Row>(pool, read, []));
  if (found !== null) return found;
  await run(pool, record, []);
  const recorded = reading(await runOne<Row>(pool, read, []));
  if (recorded === null) throw new Error('the identity of the database could not be recorded');
  return recorded;
}

function reading({ actualSystem, actualTimeline, recordedSystem, recordedTimeline, recordedAt }: Row): IdentityReading | null {
  if (actualTimeline === null) throw new IsStandby();
  if (recordedSystem === null || recordedTimeline === null || recordedAt === null) return null;
  return {
    actual: { systemIdentifier: actualSystem, timeline: actualTimeline },
    recorded: { systemIdentifier: recordedSystem, timeline: recordedTimeline },
    recordedAt,
  };
}

/**
 * Records the cluster that answers as the one the epochs are true of. `bump` raises every app's epoch in the same commit: clients then drop
 * their cursors and start over. Without it they go on, which is right only when nothing that was acknowledged is missing.
 *
 * @throws {IsStandby | DatabaseUnavailable}
 */
export async function settleEpoch(pool: Pool, how: 'keep' | 'bump'): Promise<ClusterIdentity> {
  try {
    return await withClient(pool, async (client) => {
      await client.query('begin');
      const { rows } = await client.query<ClusterIdentity>(replace);
      const [identity] = rows;
      if (identity === undefined) throw new IsStandby();
      if (how === 'bump') await client.query(bump);
      await client.query('commit');
      return identity;
    });
  } catch (error) {
    throw classify(error);
  }
}
