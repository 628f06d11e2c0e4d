import { access, constants, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { installedMajor, type PostgresBinaries, prepareBinaries } from './binaries.ts';
import { clusterExists, createCluster, resetPasswords } from './create-cluster.ts';
import { type Credentials, newCredentials, readCredentials, storeCredentials } from './credentials.ts';
import { EmbeddedPostgresError, hasErrno } from './errors.ts';
import { findFreePort, portIsFree } from './free-port.ts';
import { clusterNameOf, settleLeftovers } from './leftovers.ts';
import type { PostgresLog } from './log.ts';
import { acquireOwnerLock } from './owner-lock.ts';
import { launchServer, type ServerExit, type StopDeadlines } from './server-process.ts';
import { type ServerSettings, serverSettings } from './server-settings.ts';
import { freshServerUser, initdbUser, runningAsRoot, type ServerUser, serverUserFor } from './server-user.ts';
import { SupervisedServer } from './supervised-server.ts';

const START_TIMEOUT_MS = 60_000;
const PORT_ATTEMPTS = 5;
/** `sun_path` holds 104 bytes on the meanest system, the closing NUL included. */
const LONGEST_SOCKET_PATH = 103;
const DEFAULT_DEADLINES: StopDeadlines = { fastMs: 5_000, immediateMs: 2_000 };

export interface EmbeddedPostgresOptions {
  /** Directory for the cluster, the credentials and the lock; created when missing. */
  readonly dataDir: string;
  readonly log: PostgresLog;
  /** Port on 127.0.0.1; a free one when left out. */
  readonly port?: number;
  /** False turns every fsync off: for throw-away clusters of tests only. Default true. */
  readonly durable?: boolean;
  /** Run-time settings that win over the built-in ones, for example `max_connections`. */
  readonly settings?: ServerSettings;
  readonly stopDeadlines?: StopDeadlines;
  /** The server ended by itself; it is being restarted on the same port. */
  readonly onDown?: (exit: ServerExit) => void;
  /** The restarted server takes connections. */
  readonly onUp?: (pid: number) => void;
}

export interface EmbeddedPostgres extends AsyncDisposable {
  /** Role `nudge`, owner of the database `nudge`, over TCP. */
  readonly connectionString: string;
  /**
   * The same over the socket file in `clusterDir`: a round trip costs a quarter less CPU on both
   * sides (measured with `pg`). Undefined where the path is too long for a socket.
   */
  readonly socketConnectionString: string | undefined;
  /** Role `postgres`, superuser, on the database `postgres`. */
  readonly adminConnectionString: string;
  readonly port: number;
  /** Pid of the server; another one after a crash. */
  readonly pid: number;
  /** PostgreSQL's own data directory, below `dataDir`. */
  readonly clusterDir: string;
  /** Stops the server and gives the data directory free. Does nothing the second time. */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL of its own on `dataDir` and keeps it running until `stop`. Makes the cluster
 * at the first start, recovers whatever an earlier run left, and refuses a directory in use.
 * @throws {EmbeddedPostgresError} with a message that names the remedy
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = await openDataDir(options.dataDir);
  const lock = await acquireOwnerLock(dataDir);
  try {
    const cluster = await openCluster(dataDir, options);
    const { server, port } = await startSupervised(cluster, options);
    let stopped: Promise<void> | undefined;
    const release = async () => {
      try {
        await server.stop(options.stopDeadlines ?? DEFAULT_DEADLINES);
      } finally {
        await lock[Symbol.asyncDispose]();
      }
    };
    const stop = () => {
      stopped ??= release();
      return stopped;
    };
    const { adminPassword, password } = cluster.credentials;
    const connectionString = `postgresql://nudge:${password}@127.0.0.1:${port}/nudge`;
    return {
      connectionString,
      socketConnectionString: socketFits(cluster.dir, port) ? `${connectionString}?host=${encodeURIComponent(cluster.dir)}` : undefined,
      adminConnectionString: `postgresql://postgres:${adminPassword}@127.0.0.1:${port}/postgres`,
      port,
      get pid() {
        return server.pid;
      },
      clusterDir: cluster.dir,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

async function openDataDir(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return await realpath(path);
  } catch (error) {
    if (!hasErrno(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
    throw new EmbeddedPostgresError(
      'foreign_owner',
      `This user may not write to ${path}. Start Nudge as the user who owns it, or choose another DATA_DIR.`,
      { cause: error },
    );
  }
}

function socketFits(clusterDir: string, port: number): boolean {
  return Buffer.byteLength(join(clusterDir, `.s.PGSQL.${port}`)) <= LONGEST_SOCKET_PATH;
}

interface OpenCluster {
  readonly dir: string;
  readonly binaries: PostgresBinaries;
  readonly credentials: Credentials;
  readonly user: ServerUser | undefined;
}

async function openCluster(dataDir: string, options: EmbeddedPostgresOptions): Promise<OpenCluster> {
  const { log, durable = true } = options;
  const dir = join(dataDir, 'cluster');
  const stored = await readCredentials(dataDir);
  const creator = runningAsRoot() ? await initdbUser() : undefined;

  if (await clusterExists(dir, await installedMajor())) {
    const user = await serverUserFor(dir);
    const users = stored ? [user] : [user, creator];
    const binaries = await prepareBinaries({ users, copyInto: dataDir, log });
    if (stored) return { dir, binaries, credentials: stored, user };
    await settleLeftovers(dir, options.stopDeadlines ?? DEFAULT_DEADLINES, log);
    log.warn({ dataDir }, 'the credentials are missing: setting new passwords');
    const credentials = newCredentials();
    await resetPasswords({ clusterDir: dir, serverUser: user, creator, binaries, credentials, durable });
    await storeCredentials(dataDir, credentials);
    return { dir, binaries, credentials, user };
  }

  const user = runningAsRoot() ? await freshServerUser() : undefined;
  const binaries = await prepareBinaries({ users: [user, creator], copyInto: dataDir, log });
  const credentials = stored ?? newCredentials();
  await storeCredentials(dataDir, credentials);
  log.info({ dataDir: dir }, 'making a new PostgreSQL cluster');
  await createCluster({
    binaries,
    dataDir,
    clusterDir: dir,
    credentials,
    serverUser: user,
    creator,
    durable,
    log,
  });
  return { dir, binaries, credentials, user };
}

async function startSupervised(cluster: OpenCluster, options: EmbeddedPostgresOptions) {
  const { log, durable = true, stopDeadlines: deadlines = DEFAULT_DEADLINES } = options;
  const clusterName = await clusterNameOf(cluster.dir);
  const launch = (port: number) => async (signal: AbortSignal) => {
    await settleLeftovers(cluster.dir, deadlines, log);
    const server = await launchServer({
      binaries: cluster.binaries,
      clusterDir: cluster.dir,
      user: cluster.user,
      settings: serverSettings({ port, clusterName, durable, overrides: options.settings }),
      log,
    });
    try {
      await server.ready({ timeoutMs: START_TIMEOUT_MS, signal });
      return server;
    } catch (error) {
      await server.stop(deadlines);
      throw error;
    }
  };

  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await findFreePort());
    try {
      const server = await SupervisedServer.start({
        launch: launch(port),
        log,
        onDown: options.onDown,
        onUp: options.onUp,
      });
      log.info({ port, serverPid: server.pid, dataDir: cluster.dir }, 'PostgreSQL is ready');
      return { server, port };
    } catch (error) {
      if (await portIsFree(port)) throw error;
      // Someone took the port between the search for a free one and the start.
      if (options.port === undefined && attempt < PORT_ATTEMPTS) continue;
      throw new EmbeddedPostgresError(
        'port_in_use',
        `Port ${port} of 127.0.0.1 is in use by another program. Choose another port for PostgreSQL, or none to get a free one.`,
        { cause: error },
      );
    }
  }
}
