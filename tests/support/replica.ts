import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  dropSlot,
  launchServer,
  type Primary,
  prepareBinaries,
  prepareStandby,
  serverSettings,
  serverUserFor,
  standbySettings,
} from '@nudge/standalone/postgres';
import pg from 'pg';
import { freePorts } from './free-ports.ts';
import { collectLog } from './logs.ts';
import { createTempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

const STOP = { fastMs: 5_000, immediateMs: 2_000 };

export interface ReplicaOptions {
  readonly primary: Primary;
  /** Replays every commit this much later than the primary made it. Milliseconds, 0 by default. */
  readonly applyDelayMs?: number;
  readonly settings?: Readonly<Record<string, string>>;
}

/** A hot standby that streams from a primary. Its databases, roles and passwords are the primary's. */
export interface Replica extends AsyncDisposable {
  readonly port: number;
  /** The same connection string on the replica. */
  through(primaryConnectionString: string): string;
  /** Stops replaying; what is received is kept. Resolves when replay stands still. */
  pauseReplay(): Promise<void>;
  resumeReplay(): Promise<void>;
  /** Resolves when everything that the primary had written at the call is visible here. */
  caughtUp(): Promise<void>;
  /** Ends being a standby: it takes writes from then on, on a new timeline. */
  promote(): Promise<void>;
  stop(): Promise<void>;
}

/** Makes a replica of a running server; see `prepareStandby`. */
export async function createReplica(options: ReplicaOptions): Promise<Replica> {
  const { primary } = options;
  const slot = `replica_${randomBytes(6).toString('hex')}`;
  const dir = await createTempDir('replica');
  const clusterDir = join(dir.path, 'cluster');
  try {
    await prepareStandby({ primary, clusterDir, slot });
    return await startReplica(options, { slot, clusterDir, dispose: () => dir[Symbol.asyncDispose]() });
  } catch (error) {
    await dropSlot(primary, slot);
    await dir[Symbol.asyncDispose]();
    throw error;
  }
}

interface Prepared {
  readonly slot: string;
  readonly clusterDir: string;
  readonly dispose: () => PromiseLike<void>;
}

async function startReplica(options: ReplicaOptions, prepared: Prepared): Promise<Replica> {
  const { primary, applyDelayMs = 0 } = options;
  const { log, lines } = collectLog();
  const user = await serverUserFor(prepared.clusterDir);
  const binaries = await prepareBinaries({ users: [user], copyInto: prepared.clusterDir, log });
  const port = await freePorts(1);
  const overrides = {
    ...(await standbySettings(primary)),
    recovery_min_apply_delay: `${applyDelayMs}ms`,
    ...options.settings,
  };
  const server = await launchServer({
    binaries,
    clusterDir: prepared.clusterDir,
    user,
    settings: serverSettings({ port, clusterName: prepared.slot, durable: false, overrides }),
    log,
  });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= (async () => {
      await server.stop(STOP);
      await dropSlot(primary, prepared.slot);
      await prepared.dispose();
    })();
    return stopped;
  };
  try {
    await server.ready({ timeoutMs: 30_000 });
  } catch (error) {
    await stop();
    throw new Error(`the replica did not start:\n${lines.join('\n')}`, { cause: error });
  }
  const through = (url: string) => {
    const changed = new URL(url);
    changed.port = String(port);
    return changed.href;
  };
  const ask = <T extends pg.QueryResultRow>(sql: string, values: unknown[] = []) =>
    query<T>(through(primary.adminConnectionString), sql, values);
  return {
    port,
    through,
    stop,
    async pauseReplay() {
      await ask('select pg_wal_replay_pause()');
      await waitFor('replay to pause', async () => {
        const [row] = await ask<{ state: string }>('select pg_get_wal_replay_pause_state() as state');
        return row?.state === 'paused';
      });
    },
    async resumeReplay() {
      await ask('select pg_wal_replay_resume()');
    },
    async caughtUp() {
      const [head] = await query<{ lsn: string }>(primary.adminConnectionString, 'select pg_current_wal_lsn() as lsn');
      const there = async () => {
        const [row] = await ask<{ there: boolean }>('select pg_last_wal_replay_lsn() >= $1::pg_lsn as there', [head?.lsn]);
        return row?.there;
      };
      // The log is that of all databases of the server: another file may be filling tables.
      await waitFor(`replay to reach ${head?.lsn}`, there, { timeoutMs: 60_000 });
    },
    async promote() {
      await ask('select pg_promote(true, 30)');
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function query<T extends pg.QueryResultRow>(connectionString: string, sql: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client(connectionString);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<T>(sql, values)).rows;
  } finally {
    await client.end();
  }
}
