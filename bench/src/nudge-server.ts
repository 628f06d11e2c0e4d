import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LeanHttp } from './lean/http.ts';

/** A user of the run with a token. */
export interface BenchUser {
  readonly id: string;
  readonly token: string;
}

/** Rates a load test raises by environment; sizes and everything else stay at their defaults. */
const raised = {
  LIMIT_WRITES_PER_10_SECONDS: '1000000',
  LIMIT_READS_PER_10_SECONDS: '1000000',
  LIMIT_MARKS_PER_10_SECONDS: '1000000',
  LIMIT_ADMIN_PER_10_SECONDS: '1000000',
  LIMIT_HANDSHAKES_PER_SECOND: '100000',
  LIMIT_HANDSHAKES_PER_ADDRESS_PER_10_SECONDS: '1000000',
  LIMIT_EVENT_LOOP_DELAY_MS: '5000',
  LIMIT_REQUESTS_IN_FLIGHT: '20000',
};

/** Those of the raised rates that a checkout has: it refuses to start with a limit that it does not know. */
async function knownTo(checkout: string): Promise<Record<string, string>> {
  const limits = await readFile(join(checkout, 'packages/types/src/limits.ts'), 'utf8');
  const nameOf = (variable: string) =>
    variable
      .slice('LIMIT_'.length)
      .toLowerCase()
      .replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(raised).filter(([variable]) => limits.includes(`  ${nameOf(variable)}:`)));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** How long a standalone server may take to be ready on an empty data directory, ms. */
const START_MS = 60_000;

/** A real standalone process on an empty data directory, with durability as users have it. */
export class NudgeServer implements AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly connectionFile: string;
  readonly #dataDir: string;
  readonly #admin: LeanHttp;
  readonly #stop: () => Promise<void>;

  private constructor(fields: { pid: number; port: number; dataDir: string; serverKey: string; stop: () => Promise<void> }) {
    this.pid = fields.pid;
    this.port = fields.port;
    this.#dataDir = fields.dataDir;
    this.connectionFile = join(fields.dataDir, 'demo.json');
    this.#admin = new LeanHttp(fields.port, fields.serverKey);
    this.#stop = fields.stop;
  }

  /** Starts the server of a checkout of this repository with its dependencies installed; by default of this one. */
  static async start(checkout: string = fileURLToPath(new URL('../../', import.meta.url))): Promise<NudgeServer> {
    const dataDir = await mkdtemp(join(tmpdir(), 'nudge-bench-'));
    const port = await freePort();
    const main = join(checkout, 'apps/standalone/src/main.ts');
    const env = {
      ...process.env,
      ...(await knownTo(checkout)),
      PORT: String(port),
      DATA_DIR: dataDir,
      LOG_LEVEL: 'warn',
      NODE_ENV: 'production',
    };
    const child = spawn(process.execPath, ['--conditions=@nudge/source', main], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const ended = once(child, 'exit');
    const stop = async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(dataDir, { recursive: true, force: true });
    };
    const deadline = performance.now() + START_MS;
    while (performance.now() < deadline) {
      const text = await readFile(join(dataDir, 'demo.json'), 'utf8').catch(() => '');
      if (text !== '') {
        const { serverKey } = JSON.parse(text) as { serverKey: string };
        return new NudgeServer({ pid: child.pid ?? 0, port, dataDir, serverKey, stop });
      }
      if (child.exitCode !== null) break;
      await delay(50);
    }
    await stop();
    throw new Error('the standalone server did not become ready');
  }

  /** `<DATA_DIR>` of the process. */
  get dataDir(): string {
    return this.#dataDir;
  }

  async #call(path: string, body: unknown, expected: readonly number[]): Promise<Record<string, unknown>> {
    const answer = await this.#admin.request('POST', path, JSON.stringify(body));
    if (!expected.includes(answer.status)) throw new Error(`${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
    return JSON.parse(answer.text) as Record<string, unknown>;
  }

  /** Creates `count` users named `<prefix><n>`. */
  async absentUsers(prefix: string, count: number): Promise<string[]> {
    const ids = Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    for (let first = 0; first < count; first += 1_000) {
      await this.#call('/v1/admin/users', { users: ids.slice(first, first + 1_000).map((id) => ({ id })) }, [200]);
    }
    return ids;
  }

  /** Creates `count` users named `<prefix><n>` and mints a token for each. */
  async users(prefix: string, count: number): Promise<BenchUser[]> {
    const users: BenchUser[] = [];
    for (const id of await this.absentUsers(prefix, count)) {
      const { token } = await this.#call(`/v1/admin/users/${id}/tokens`, {}, [201]);
      users.push({ id, token: String(token) });
    }
    return users;
  }

  /** Creates a group; the first user owns it. Returns its id. */
  async group(userIds: readonly string[]): Promise<string> {
    const [createdBy, ...members] = userIds;
    const { conversation } = await this.#call('/v1/admin/conversations', { type: 'group', createdBy, members }, [201]);
    return (conversation as { id: string }).id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#admin.destroy();
    await this.#stop();
  }
}
