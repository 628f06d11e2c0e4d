import { existsSync, readFileSync } from 'node:fs';
import { readApiConfig } from '../../apps/api/src/config.ts';
import { readGatewayConfig } from '../../apps/gateway/src/config.ts';
import { readSyncConfig } from '../../apps/sync/src/config.ts';
import type { Findings } from './findings.ts';

/** Stands in for what the secret brings. */
const secret = {
  DATABASE_URL: 'postgres://nudge:secret@postgres:5432/nudge',
  DATABASE_REPLICA_URLS: 'postgres://nudge:secret@postgres-replica:5432/nudge',
  REDIS_URL: 'redis://:secret@redis:6379',
  OPS_TOKEN: 'x'.repeat(32),
};
const root = new URL('../../', import.meta.url);
/** What a process takes at most to stop unless its configuration says so: the default of `runMain`. */
const defaultStopMs = 10_000;
const readers: Readonly<Record<string, (env: Readonly<Record<string, string>>) => object & { readonly stopMs?: number }>> = {
  'apps/api/src/main.ts': readApiConfig,
  'apps/sync/src/main.ts': readSyncConfig,
  'apps/gateway/src/main.ts': readGatewayConfig,
};

/** A process of Nudge as a deployment file starts it. */
export interface DeployedProcess {
  readonly file: string;
  readonly name: string;
  /** The argument of the image: which process it is. */
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Reads the environment as the process would.
 * @returns how long it may take to stop, ms; undefined for one that ends by itself
 */
export function checkProcess(findings: Findings, { file, name, main, env }: DeployedProcess): number | undefined {
  if (!existsSync(new URL(main, root))) findings.add(file, `${name}: there is no ${main}`);
  const read = readers[main];
  if (read === undefined) {
    const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { scripts: Record<string, string> };
    findings.expect(scripts['db:migrate']?.endsWith(` ${main}`) ?? false, file, `${name}: ${main} is no process of Nudge`);
    return undefined;
  }
  const unknown = Object.keys(env).filter((variable) => !knownVariables().has(variable) && !/^(LIMIT|OTEL)_/.test(variable));
  for (const variable of unknown) findings.add(file, `${name}: nothing reads ${variable}`);
  for (const variable of Object.keys(secret)) findings.expect(!(variable in env), file, `${name}: ${variable} belongs into the secret`);
  try {
    return read({ ...secret, ...env }).stopMs ?? defaultStopMs;
  } catch (error) {
    findings.add(file, `${name}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

let known: ReadonlySet<string> | undefined;

/** Every variable that a `config.ts` speaks of. */
function knownVariables(): ReadonlySet<string> {
  const files = ['packages/server-kit/src', 'apps/api/src', 'apps/sync/src', 'apps/gateway/src'].map((dir) => `${dir}/config.ts`);
  known ??= new Set([
    'NODE_ENV',
    ...files.flatMap((file) => readFileSync(new URL(file, root), 'utf8').match(/\b[A-Z][A-Z0-9_]+\b/g) ?? []),
  ]);
  return known;
}
