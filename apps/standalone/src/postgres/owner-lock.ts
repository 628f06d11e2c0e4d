import { randomUUID } from 'node:crypto';
import { access, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedPostgresError, hasErrno } from './errors.ts';
import { identifyProcess, type ProcessIdentity } from './process-table.ts';

const CLAIM_NAME = /^owner\.([0-9a-f-]{36})\.json$/;
const HEARTBEAT_MS = 5_000;
/** A claim whose pid cannot be judged from here counts as alive while its heartbeat is younger. */
const HEARTBEAT_EXPIRES_MS = 15_000;
const POLL_MS = 10;

/** Says which Node process owns a data directory; disposing gives it free. */
export interface OwnerLock extends AsyncDisposable {
  readonly path: string;
}

/**
 * Takes the lock or throws `already_running`. It gives the clear refusal, and tells a PostgreSQL in
 * use from one that was left behind; what protects the data in the end is PostgreSQL's own interlock.
 *
 * Every starter puts down a claim under a name that is only its own, and then looks at the others'. Of
 * two at least one sees the other. A claim whose process is gone (told by pid, start time and boot,
 * so a reused pid does not keep it alive) is removed, which can hit nobody else. Among live ones a
 * holder wins; without a holder the smaller id wins, after it has waited for the larger ones to
 * withdraw or to turn out as holders that had looked before it came.
 */
export async function acquireOwnerLock(dataDir: string): Promise<OwnerLock> {
  const self = await identifyProcess(process.pid);
  if (self === undefined) throw new Error('the own process is not in the process table');
  const id = randomUUID();
  const mine = filesOf(dataDir, id);
  await writeFile(mine.draft, JSON.stringify(self), { mode: 0o600, flag: 'wx' });
  await rename(mine.draft, mine.claim);
  try {
    while (await mustWait(dataDir, id, self)) await delay(POLL_MS);
    await writeFile(mine.held, '', { mode: 0o600 });
  } catch (error) {
    await rm(mine.claim, { force: true });
    throw error;
  }
  return heldLock(mine);
}

interface LockFiles {
  readonly draft: string;
  /** There from the claim to the release, so that no listing misses it. */
  readonly claim: string;
  /** There while the claim is the winning one. */
  readonly held: string;
}

function filesOf(dataDir: string, id: string): LockFiles {
  const base = join(dataDir, `owner.${id}`);
  return { draft: `${base}.draft`, claim: `${base}.json`, held: `${base}.held` };
}

function heldLock(files: LockFiles): OwnerLock {
  const beat = setInterval(() => {
    const now = new Date();
    // A directory that was deleted under the running server is reported by PostgreSQL itself.
    utimes(files.claim, now, now).catch(() => clearInterval(beat));
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    path: files.claim,
    async [Symbol.asyncDispose]() {
      clearInterval(beat);
      await rm(files.held, { force: true });
      await rm(files.claim, { force: true });
    },
  };
}

/** True while the outcome depends on a rival; throws when the rival has won. */
async function mustWait(dataDir: string, id: string, self: ProcessIdentity): Promise<boolean> {
  let wait = false;
  for (const name of await readdir(dataDir)) {
    const rival = CLAIM_NAME.exec(name)?.[1];
    if (rival === undefined || rival === id) continue;
    const files = filesOf(dataDir, rival);
    const holder = await liveOwner(files, self);
    if (holder === undefined) continue;
    if (rival < id || (await exists(files.held))) throw alreadyRunning(dataDir, holder, self);
    wait = true;
  }
  return wait;
}

/** Who stands behind a claim; the files of one whose process is gone are removed. */
async function liveOwner(files: LockFiles, self: ProcessIdentity): Promise<ProcessIdentity | undefined> {
  try {
    const owner = parseIdentity(await readFile(files.claim, 'utf8'));
    if (owner !== undefined && (await isAlive(owner, files.claim, self))) return owner;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  await rm(files.held, { force: true });
  await rm(files.claim, { force: true });
  return undefined;
}

async function isAlive(owner: ProcessIdentity, claim: string, self: ProcessIdentity): Promise<boolean> {
  if (owner.pidNamespace !== self.pidNamespace) {
    return Date.now() - (await stat(claim)).mtimeMs < HEARTBEAT_EXPIRES_MS;
  }
  const running = await identifyProcess(owner.pid);
  return running?.startedAt === owner.startedAt && running.bootId === owner.bootId;
}

function alreadyRunning(dataDir: string, owner: ProcessIdentity, self: ProcessIdentity): EmbeddedPostgresError {
  const elsewhere = owner.pidNamespace !== self.pidNamespace;
  const where = elsewhere
    ? `as process ${owner.pid} of another container`
    : owner.pid === self.pid
      ? 'in this same process'
      : `in process ${owner.pid}`;
  const remedy = elsewhere
    ? `Stop that one first, or start this one on another DATA_DIR. If it died just now, try again in ${HEARTBEAT_EXPIRES_MS / 1000} seconds.`
    : `Use that one, stop it first (kill ${owner.pid}), or start this one on another DATA_DIR.`;
  return new EmbeddedPostgresError('already_running', `Nudge is already running on ${dataDir}, ${where}. ${remedy}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

function parseIdentity(content: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(content);
    return isIdentity(value) ? value : undefined;
  } catch (error) {
    // Claims appear whole, by a rename: a torn one is what a crash of the machine left.
    if (error instanceof SyntaxError) return undefined;
    throw error;
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
