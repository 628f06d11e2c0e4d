import { fileURLToPath } from 'node:url';
import { readGatewayConfig } from '@nudge/gateway';
import { type Environment, type ProcessEvent, SupervisedProcess } from '@nudge/server-kit';
import { type FrontDoor, openFrontDoor } from './front-door.ts';
import { portsFrom } from './ports.ts';

export const roles = ['gateway', 'api', 'sync'] as const;
export type Role = (typeof roles)[number];

const scripts: Readonly<Record<Role, string>> = {
  gateway: fileURLToPath(new URL('../../../gateway/src/main.ts', import.meta.url)),
  api: fileURLToPath(new URL('../../../api/src/main.ts', import.meta.url)),
  sync: fileURLToPath(new URL('../../../sync/src/main.ts', import.meta.url)),
};

/** An app ends itself within 10 s, a gateway within the time it has to move its sockets; this is for one that hangs. */
function stopMsOf(role: Role, env: Environment): number {
  return role === 'gateway' ? readGatewayConfig(env).stopMs + 2_000 : 12_000;
}

/** One app as a process of its own. */
export interface AppProcess {
  readonly role: Role;
  /** `gateway-1`. */
  readonly name: string;
  readonly url: string;
  readonly opsUrl: string;
  readonly port: number;
  readonly process: SupervisedProcess;
}

export interface ProcessesOptions {
  readonly databaseUrl: string;
  readonly replicaUrls?: readonly string[];
  readonly redisUrl: string;
  /** How many of each role; two where absent. */
  readonly count?: Partial<Readonly<Record<Role, number>>>;
  readonly host?: string;
  /** Port of the front door; the others are searched above it. */
  readonly port: number;
  /** What every process is given beside its own variables, and those of one role. */
  readonly env?: Environment;
  readonly envOf?: Partial<Readonly<Record<Role, Environment>>>;
  readonly onLine?: (name: string, line: string) => void;
  readonly onEvent?: (name: string, event: ProcessEvent) => void;
}

/** The apps as processes, and one address before them. Disposing ends gateways first, while the others still serve those who move. */
export interface Processes extends AsyncDisposable {
  /** The front door. */
  readonly url: string;
  readonly apps: readonly AppProcess[];
  of(role: Role): readonly AppProcess[];
}

/** Starts all of them at once; resolves when all serve, and leaves nothing running when one does not. */
export async function startProcesses(options: ProcessesOptions): Promise<Processes> {
  const { port, host = '127.0.0.1', count = {} } = options;
  const nextPort = portsFrom(port + 1);
  const planned: { role: Role; name: string; port: number; opsPort: number }[] = [];
  for (const role of roles) {
    for (let n = 1; n <= (count[role] ?? 2); n++) {
      planned.push({ role, name: `${role}-${n}`, port: await nextPort(), opsPort: await nextPort() });
    }
  }
  const apps: AppProcess[] = [];
  const of = (role: Role) => apps.filter((app) => app.role === role);
  const stopAll = async () => {
    await Promise.all(of('gateway').map((app) => app.process.stop()));
    await Promise.all(apps.map((app) => app.process.stop()));
  };
  await using opened = new AsyncDisposableStack();
  opened.defer(stopAll);
  const backends = (role: Role) =>
    planned
      .filter((plan) => plan.role === role)
      .map((plan) => ({
        port: plan.port,
        get serving() {
          return apps.find(({ name }) => name === plan.name)?.process.state === 'serving';
        },
      }));
  const front = opened.use(
    await openFrontDoor({ host, port, gateways: backends('gateway'), apis: backends('api'), syncs: backends('sync') }),
  );
  const gatewayUrls = planned.filter(({ role }) => role === 'gateway').map((plan) => `http://127.0.0.1:${plan.port}`);
  const starts = planned.map(async (plan) => {
    const app = await startApp(plan, environmentOf(plan, options, front, gatewayUrls), options);
    apps.push(app);
  });
  // All have come to an end before one failure is told: what still starts would be left behind.
  const results = await Promise.allSettled(starts);
  apps.sort((a, b) => roles.indexOf(a.role) - roles.indexOf(b.role) || (a.name < b.name ? -1 : 1));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  const running = opened.move();
  return {
    url: front.url,
    apps,
    of,
    async [Symbol.asyncDispose]() {
      // The front door closes last: those who move and those who send are served until the end.
      await stopAll();
      await running[Symbol.asyncDispose]();
    },
  };
}

interface Plan {
  readonly role: Role;
  readonly name: string;
  readonly port: number;
  readonly opsPort: number;
}

function environmentOf(
  { role, port, opsPort }: Plan,
  options: ProcessesOptions,
  front: FrontDoor,
  gatewayUrls: readonly string[],
): Environment {
  return {
    TRUST_PROXY: 'loopback',
    ...options.env,
    HOST: '127.0.0.1',
    PORT: String(port),
    OPS_PORT: String(opsPort),
    PUBLIC_URL: '',
    DATABASE_URL: options.databaseUrl,
    DATABASE_REPLICA_URLS: role === 'sync' ? (options.replicaUrls ?? []).join(',') : '',
    REDIS_URL: options.redisUrl,
    SYNC_URL: front.url,
    GATEWAY_URLS: gatewayUrls.join(','),
    ...options.envOf?.[role],
  };
}

async function startApp({ role, name, port, opsPort }: Plan, env: Environment, options: ProcessesOptions): Promise<AppProcess> {
  const url = `http://127.0.0.1:${port}`;
  const { onLine, onEvent } = options;
  const node = ['--conditions=@nudge/source', '--enable-source-maps', '--disable-warning=ExperimentalWarning'];
  const started = await SupervisedProcess.start({
    name,
    command: [process.execPath, ...node, scripts[role]],
    env,
    check: async () => (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok,
    stopMs: stopMsOf(role, env),
    onLine: (line) => onLine?.(name, line),
    onEvent: (event) => onEvent?.(name, event),
  });
  return { role, name, url, opsUrl: `http://127.0.0.1:${opsPort}`, port, process: started };
}
