import { lchown, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedPostgresError, hasErrno } from './errors.ts';

/** A numeric user and group that a child process runs as. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root. Under root it therefore gets a user id of its own, taken from
 * a range that neither Debian nor systemd hands out (systemd.io/UIDS-GIDS calls it unused). No
 * account is created: the server needs none, only `initdb` looks its user up (see `initdbUser`).
 */
const FREE_UIDS = { first: 60_706, last: 61_183 };

export function runningAsRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Who shall run the server for an existing cluster: undefined means the calling user. Under root
 * it is whoever owns the files; files of root itself (restored from a copy) get a fresh owner.
 */
export async function serverUserFor(clusterDir: string): Promise<ServerUser | undefined> {
  const owner = await stat(clusterDir);
  const self = process.getuid?.();
  if (self !== 0) {
    if (self === undefined || owner.uid === self) return undefined;
    throw new EmbeddedPostgresError(
      'foreign_owner',
      `${clusterDir} belongs to user ${owner.uid}, this process is user ${self}. ` +
        `Start Nudge as root or as that user, or choose another DATA_DIR.`,
    );
  }
  if (owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const user = await freshServerUser();
  await giveTree(clusterDir, user);
  return user;
}

/** A user id that no local account has. */
export async function freshServerUser(): Promise<ServerUser> {
  const taken = new Set((await accounts()).map((account) => account.uid));
  for (let uid = FREE_UIDS.first; uid <= FREE_UIDS.last; uid += 1) {
    if (!taken.has(uid)) return { uid, gid: uid };
  }
  throw new EmbeddedPostgresError(
    'cannot_change_user',
    `All user ids from ${FREE_UIDS.first} to ${FREE_UIDS.last} are taken. Run Nudge as an ordinary user.`,
  );
}

/** `initdb` insists on an account for its user id; the files change hands right afterwards. */
export async function initdbUser(): Promise<ServerUser> {
  const candidates = (await accounts()).filter((account) => account.uid !== 0);
  const chosen = candidates.find((account) => account.name === 'nobody') ?? candidates[0];
  if (chosen !== undefined) return { uid: chosen.uid, gid: chosen.gid };
  throw new EmbeddedPostgresError(
    'cannot_change_user',
    'PostgreSQL cannot be set up as root, and /etc/passwd names no other user. Run Nudge as an ordinary user.',
  );
}

/** Gives a directory and everything in it to a user, without following symbolic links. */
export async function giveTree(dir: string, user: ServerUser): Promise<void> {
  try {
    await lchown(dir, user.uid, user.gid);
    for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
      await lchown(join(entry.parentPath, entry.name), user.uid, user.gid);
    }
  } catch (error) {
    if (!hasErrno(error, 'EPERM', 'EINVAL', 'EACCES', 'EROFS')) throw error;
    throw new EmbeddedPostgresError(
      'cannot_change_user',
      `PostgreSQL cannot run as root, and ${dir} cannot be given to another user (its file system or ` +
        `this container forbids it). Choose a DATA_DIR on a local disk, or run Nudge as an ordinary user.`,
      { cause: error },
    );
  }
}

interface Account extends ServerUser {
  readonly name: string;
}

async function accounts(): Promise<Account[]> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}
