/**
 * Adds to package-lock.json the optional platform packages (`@biomejs/cli-win32-x64` …) that the registry in use did not offer when the
 * lock was written. `npm ci` refuses a lock that lacks them, even on a machine that would never install them. Run after `npm install`.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Locked {
  version?: string;
  optionalDependencies?: Record<string, string>;
  [field: string]: unknown;
}

const platforms = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const machines = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

/** What npm would have recorded, read off the package's name; none of these is ever installed where it does not fit. */
function platformEntry(name: string, version: string): Locked {
  const words = name.split(/[^a-z0-9]+/);
  const os = platforms.filter((platform) => words.includes(platform) || (platform === 'win32' && words.includes('windows')));
  const cpu = machines.filter((machine) => words.includes(machine) || (machine === 'x64' && words.includes('64')));
  const libc = words.some((word) => word.startsWith('musl')) ? ['musl'] : words.some((word) => word.startsWith('gnu')) ? ['glibc'] : [];
  if (os.length === 0 && cpu.length === 0) throw new Error(`${name}: not a platform package, install it properly`);
  return {
    version,
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(libc.length > 0 && os.includes('linux') ? { libc } : {}),
    optional: true,
    ...(os.length > 0 ? { os } : {}),
  };
}

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Locked> };
let added = 0;
for (const [path, locked] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(locked.optionalDependencies ?? {})) {
    const known = [`${path}/node_modules/${name}`, `node_modules/${name}`].some((place) => place in lock.packages);
    if (known) continue;
    lock.packages[`node_modules/${name}`] = platformEntry(name, version);
    added += 1;
  }
}
const root = lock.packages[''] ?? {};
delete lock.packages[''];
lock.packages = { '': root, ...Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'))) };
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} optional platform packages added`);
