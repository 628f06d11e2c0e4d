import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedPostgresError, hasErrno } from './errors.ts';
import { identifyProcess, type ProcessIdentity } from './process-table.ts';

const HEARTBEAT_MS = 5_000;
/** A holder whose pid cannot be judged from here counts as alive while its heartbeat is younger. */
const HEARTBEAT_EXPIRES_MS = 15_000;
const TAKEOVER_ATTEMPTS = 5;

/**
 * Says which Node process owns a data directory. It gives the clear "already running" and tells a
 * PostgreSQL that is in use from one that was left behind. It is not what protects the data:
 * PostgreSQL's own interlock (`postmaster.pid` and its shared memory) stays the last word.
 */
export interface OwnerLock extends AsyncDisposable {
  readonly path: string;
}

/**
 * Takes the lock or throws `already_running`. A lock is stale when its process is gone, told by
 * pid, start time and boot together, so a reused pid does not keep it alive. A holder in another
 * container (pid namespace) is judged by its heartbeat, the modification time of the file.
 */
export async function acquireOwnerLock(dataDir: string): Promise<OwnerLock> {
  const path = join(dataDir, 'owner.json');
  const self = await identifyProcess(process.pid);
  if (self === undefined) throw new Error('the own process is not in the process table');
  const claim = { ...self, claim: randomUUID() };
  const content = JSON.stringify(claim);
  const draft = join(dataDir, `owner.${claim.claim}`);
  await writeFile(draft, content, { mode: 0o600, flag: 'wx' });
  try {
    for (let attempt = 0; attempt < TAKEOVER_ATTEMPTS; attempt += 1) {
      if (await linkExclusively(draft, path)) return heldLock(path, content);
      const seen = await readIfThere(path);
      if (seen === undefined) continue;
      await refuseLiveHolder(dataDir, path, seen, self);
      await removeStale(path, seen);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new EmbeddedPostgresError(
    'already_running',
    `Other processes are starting on ${dataDir} at this moment. Start only one.`,
  );
}

function heldLock(path: string, content: string): OwnerLock {
  const beat = setInterval(() => {
    const now = new Date();
    // A directory that was deleted under the running server is reported by PostgreSQL itself.
    utimes(path, now, now).catch(() => clearInterval(beat));
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    path,
    async [Symbol.asyncDispose]() {
      clearInterval(beat);
      if ((await readIfThere(path)) === content) await rm(path, { force: true });
    },
  };
}

async function refuseLiveHolder(
  dataDir: string,
  path: string,
  content: string,
  self: ProcessIdentity,
): Promise<void> {
  const holder = parseIdentity(content);
  if (holder === undefined) return;
  if (holder.pidNamespace === self.pidNamespace) {
    const running = await identifyProcess(holder.pid);
    if (running?.startedAt !== holder.startedAt || running.bootId !== holder.bootId) return;
    const who = holder.pid === process.pid ? 'this same process' : `process ${holder.pid}`;
    throw new EmbeddedPostgresError(
      'already_running',
      `Nudge is already running on ${dataDir}, in ${who}. ` +
        `Use that one, stop it first (kill ${holder.pid}), or start this one on another DATA_DIR.`,
    );
  }
  const age = Date.now() - (await stat(path)).mtimeMs;
  if (age > HEARTBEAT_EXPIRES_MS) return;
  throw new EmbeddedPostgresError(
    'already_running',
    `Nudge is already running on ${dataDir}, as process ${holder.pid} of another container. ` +
      `Stop that one first, or start this one on another DATA_DIR. ` +
      `If it died just now, try again in ${HEARTBEAT_EXPIRES_MS / 1000} seconds.`,
  );
}

/** Moves the stale file away; of several that saw it, one wins and the others look again. */
async function removeStale(path: string, seen: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    throw error;
  }
  // Between reading and moving another starter may have put its own lock there: give it back.
  if ((await readFile(aside, 'utf8')) !== seen) await linkExclusively(aside, path);
  await rm(aside, { force: true });
}

async function linkExclusively(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function parseIdentity(content: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(content);
    return isIdentity(value) ? value : undefined;
  } catch {
    // A torn file can only come from a crash of the machine: its writer is gone.
    return undefined;
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startedAt' in value &&
    typeof value.startedAt === 'string' &&
    'bootId' in value &&
    typeof value.bootId === 'string' &&
    'pidNamespace' in value &&
    typeof value.pidNamespace === 'string'
  );
}
