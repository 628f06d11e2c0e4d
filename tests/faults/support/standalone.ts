import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SOCKET_PATH } from '@nudge/types';
import pg from 'pg';
import { io, type Socket } from 'socket.io-client';
import { type HttpClient, httpClient, type Success, sent } from '../../protocol/support/http.ts';
import { wideLimits } from '../../races/support/limits.ts';
import { type Child, startChild } from '../../support/process.ts';
import { createTempDir, type TempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';

const script = new URL('../../../apps/standalone/src/main.ts', import.meta.url).pathname;
const run = promisify(execFile);

type Entry = Success<'listEntries'>['entries'][number];

/** What a standalone server writes for those who try it. */
interface Session {
  readonly url: string;
  readonly conversationId: string;
  readonly users: readonly [{ readonly id: string; readonly token: string }, { readonly id: string; readonly token: string }];
}

/** The real process of `npm start`, with a PostgreSQL of its own. Disposing kills both. */
export interface Standalone extends AsyncDisposable {
  readonly child: Child;
  readonly session: Session;
  readonly http: HttpClient;
  /** Pid of PostgreSQL's first process. */
  postgresPid(): Promise<number>;
  /** Looks at its database, or changes it, past the server. */
  query(sql: string): Promise<readonly unknown[]>;
}

export async function startStandalone(dataDir: string, env: Readonly<Record<string, string>> = {}): Promise<Standalone> {
  const child = await startChild({
    script,
    env: { DATA_DIR: dataDir, PORT: '0', NODE_ENV: 'test', LOG_FORMAT: 'json', ...wideLimits, ...env },
    ownGroup: true,
  });
  try {
    await child.waitForLine(/^Read the API/, 60_000);
    const session = JSON.parse(await readFile(join(dataDir, 'demo.json'), 'utf8')) as Session;
    return {
      child,
      session,
      http: httpClient(session.url),
      postgresPid: async () => Number((await postmaster(dataDir))[0]),
      async query(sql) {
        const { password } = JSON.parse(await readFile(join(dataDir, 'credentials.json'), 'utf8')) as { readonly password: string };
        const client = new pg.Client(`postgresql://nudge:${password}@127.0.0.1:${(await postmaster(dataDir))[3]}/nudge`);
        await client.connect();
        try {
          return (await client.query<object>(sql)).rows;
        } finally {
          await client.end();
        }
      },
      async [Symbol.asyncDispose]() {
        await child.kill('SIGKILL');
      },
    };
  } catch (error) {
    await child.kill('SIGKILL');
    throw error;
  }
}

/** Lines of PostgreSQL's own note: its pid, its directory, when it started, its port. */
async function postmaster(dataDir: string): Promise<readonly string[]> {
  return (await readFile(join(dataDir, 'cluster', 'postmaster.pid'), 'utf8')).split('\n');
}

/** A data directory that has been served once, so that its demo exists and a start writes nothing. */
export async function prepareData(): Promise<TempDir> {
  const dir = await createTempDir('standalone');
  try {
    const { child } = await startStandalone(dir.path);
    const { code } = await child.kill('SIGTERM');
    if (code !== 0) throw new Error(`the first start ended with ${code}:\n${child.lines.slice(-20).join('\n')}`);
    return dir;
  } catch (error) {
    await dir[Symbol.asyncDispose]();
    throw error;
  }
}

/** A copy to break: far quicker than a new cluster. */
export async function copyOf(prepared: TempDir): Promise<TempDir> {
  const dir = await createTempDir('standalone');
  await run('cp', ['-a', `${prepared.path}/.`, dir.path]);
  return dir;
}

/** A send of one of the two demo users; rejects when no answer comes. */
export function send({ http, session }: Pick<Standalone, 'http' | 'session'>, user: 0 | 1, clientMsgId: string) {
  const { token } = session.users[user];
  const body = { clientMsgId, body: { text: `text of ${clientMsgId}` } };
  return http.call('sendMessage', { token, params: { conversationId: session.conversationId }, body });
}

/** The whole log as a member pulls it, page by page. */
export async function pullAll({ http, session }: Pick<Standalone, 'http' | 'session'>): Promise<Entry[]> {
  const all: Entry[] = [];
  for (;;) {
    const query = { after: all.at(-1)?.seq ?? 0, limit: 200 };
    const request = { token: session.users[1].token, params: { conversationId: session.conversationId }, query };
    const { entries, more } = (await http.call('listEntries', request)).ok(200);
    all.push(...entries);
    if (!more) return all;
  }
}

/** A plain device that connects as soon as somebody listens, and remembers what it heard. */
export interface Listener extends Disposable {
  readonly socket: Socket;
  readonly keys: readonly (readonly [log: string, position: number])[];
  readonly controls: readonly { readonly type: string; readonly reason?: string | null }[];
  readonly welcomes: number;
}

export function listen(url: string, token: string, deviceId: string): Listener {
  const socket = io(url, {
    path: SOCKET_PATH,
    transports: ['websocket'],
    forceNew: true,
    auth: { token, deviceId },
    reconnectionDelay: 30,
    reconnectionDelayMax: 30,
    randomizationFactor: 0,
  });
  const keys: [string, number][] = [];
  const controls: { type: string; reason?: string | null }[] = [];
  let welcomes = 0;
  socket.on('notify', (notify: { keys: [string, number][] }) => void keys.push(...notify.keys));
  socket.on('control', (control: { type: string; reason?: string | null }) => void controls.push(control));
  socket.on('welcome', () => {
    welcomes += 1;
  });
  // After a handshake that was refused the library does not try again by itself.
  let again: NodeJS.Timeout | undefined;
  socket.on('connect_error', () => {
    if (!socket.active) again = setTimeout(() => socket.connect(), 30);
  });
  return {
    socket,
    keys,
    controls,
    get welcomes() {
      return welcomes;
    },
    [Symbol.dispose]() {
      clearTimeout(again);
      socket.disconnect();
    },
  };
}

/** What was acknowledged to a load, and what else was answered. */
export class Load {
  readonly acked = new Map<string, { readonly user: 0 | 1; readonly seq: number }>();
  /** Answers by status and code. */
  readonly answers = new Map<string, number>();
  /** Requests that got no answer at all. */
  lost = 0;
  #stopped = false;
  readonly #lanes: Promise<void>[];

  /** Lanes that send one message after the other, each until it is acknowledged, always under the same id. */
  constructor(target: Standalone, { lanes = 6, giveUp = false }: { readonly lanes?: number; readonly giveUp?: boolean } = {}) {
    this.#lanes = Array.from({ length: lanes }, async (_, lane) => {
      const user = lane % 2 === 0 ? 0 : 1;
      for (let n = 0; !this.#stopped; n += 1) {
        const id = `load-${lane}-${n}`;
        while (!(await this.#attempt(target, user, id)) && !this.#stopped) if (giveUp && this.lost > 0) return;
      }
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }

  /** Waits until so many more were acknowledged. */
  async progress(more: number, timeoutMs = 60_000): Promise<void> {
    const goal = this.acked.size + more;
    await waitFor(`${more} more acknowledged sends`, () => this.acked.size >= goal, { timeoutMs });
  }

  async #attempt(target: Standalone, user: 0 | 1, id: string): Promise<boolean> {
    let reply: Awaited<ReturnType<typeof send>>;
    try {
      reply = await send(target, user, id);
    } catch (error) {
      // Only a connection that broke is a lost answer; one that breaks the contract is a failure.
      if (!(error instanceof TypeError)) throw error;
      this.lost += 1;
      return false;
    }
    const problem = reply.json as { readonly code?: string };
    const kind = `${reply.status} ${problem.code ?? ''}`.trim();
    this.answers.set(kind, (this.answers.get(kind) ?? 0) + 1);
    if (reply.status >= 300) return false;
    this.acked.set(id, { user, seq: sent(reply).seq });
    return true;
  }

  /** Why the log does not hold what was acknowledged, or not in order, or something twice. Empty when all is well. */
  breaches(log: readonly Entry[], users: Session['users']): string[] {
    const found: string[] = [];
    for (const [index, { seq }] of log.entries()) if (seq !== index + 1) found.push(`entry ${index} has seq ${seq}`);
    const ids = log.flatMap(({ senderId, clientMsgId }) => (clientMsgId ? [`${senderId}/${clientMsgId}`] : []));
    if (new Set(ids).size !== ids.length) found.push('a send is there twice');
    for (const [id, { user, seq }] of this.acked) {
      const entry = log[seq - 1];
      if (entry?.clientMsgId !== id || entry.senderId !== users[user].id) found.push(`acknowledged ${id} is not at ${seq}`);
    }
    return found;
  }
}
