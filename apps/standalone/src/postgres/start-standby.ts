import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { prepareBinaries } from './binaries.ts';
import { clusterNameOf, settleLeftovers } from './leftovers.ts';
import type { PostgresLog } from './log.ts';
import { launchServer, type StopDeadlines } from './server-process.ts';
import { serverSettings } from './server-settings.ts';
import { serverUserFor } from './server-user.ts';
import { dropSlot, type Primary, prepareStandby, standbySettings } from './standby.ts';
import { SupervisedServer } from './supervised-server.ts';

const DEADLINES: StopDeadlines = { fastMs: 5_000, immediateMs: 2_000 };

export interface StandbyOptions {
  readonly primary: Primary;
  /** Where its files go. What an earlier one left there is replaced: a standby holds nothing of its own. */
  readonly clusterDir: string;
  readonly slot: string;
  readonly port: number;
  readonly log: PostgresLog;
}

/** A hot standby that streams from a primary; started again when it ends by itself. */
export interface Standby extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** The same connection string on the standby. */
  through(primaryConnectionString: string): string;
}

/** Copies the primary and starts the copy. */
export async function startStandby({ primary, slot, port, log, ...options }: StandbyOptions): Promise<Standby> {
  // The server works in it, and would take a relative path from there.
  const clusterDir = resolve(options.clusterDir);
  await settleLeftovers(clusterDir, DEADLINES, log).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rm(clusterDir, { recursive: true, force: true });
  await dropSlot(primary, slot);
  await prepareStandby({ primary, clusterDir, slot });
  const user = await serverUserFor(clusterDir);
  const binaries = await prepareBinaries({ users: [user], copyInto: clusterDir, log });
  const settings = serverSettings({
    port,
    clusterName: await clusterNameOf(clusterDir),
    // What a crash of the machine takes from it, the primary still has: it is copied anew at every start.
    durable: false,
    overrides: await standbySettings(primary),
  });
  const server = await SupervisedServer.start({
    launch: async (signal) => {
      await settleLeftovers(clusterDir, DEADLINES, log);
      const launched = await launchServer({ binaries, clusterDir, user, settings, log });
      try {
        await launched.ready({ timeoutMs: 60_000, signal });
        return launched;
      } catch (error) {
        await launched.stop(DEADLINES);
        throw error;
      }
    },
    log,
    onDown: undefined,
    onUp: undefined,
  });
  return {
    port,
    get pid() {
      return server.pid;
    },
    through(url) {
      const changed = new URL(url);
      changed.port = String(port);
      changed.searchParams.delete('host');
      return changed.href;
    },
    async [Symbol.asyncDispose]() {
      await server.stop(DEADLINES);
      await dropSlot(primary, slot);
    },
  };
}
