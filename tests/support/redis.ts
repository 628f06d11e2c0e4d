import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { redisServerBinary } from '@nudge/standalone/redis';
import { freePorts } from './free-ports.ts';
import { createTcpProxy, type TcpProxy } from './tcp-proxy.ts';
import { createTempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

/** A `redis-server` of one's own on a free port of 127.0.0.1. Disposing kills it. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** Of a cluster node: where the others of the cluster reach it. */
  readonly busPort: number;
  readonly url: string;
  readonly pid: number;
  /** Sends a command and returns the answer: text, number, null or a list of those. An error answer rejects. */
  command(...words: string[]): Promise<RedisReply>;
  /** Sends a signal; with SIGKILL it resolves when the process has ended. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port after it was killed. Without persistence it is empty. */
  restart(): Promise<void>;
}

export type RedisReply = string | number | null | RedisReply[];

export interface RedisServerOptions {
  readonly settings?: Readonly<Record<string, string>>;
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = await redisServerBinary();
  const dir = await createTempDir('redis');
  const port = await freePorts(2);
  const busPort = port + 1;
  let child: ChildProcess | undefined;
  const start = async () => {
    const settings = {
      bind: '127.0.0.1',
      port: String(port),
      'cluster-port': String(busPort),
      dir: dir.path,
      save: '',
      appendonly: 'no',
      ...options.settings,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const started = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output: string[] = [];
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (data: Buffer) => output.push(data.toString()));
    child = started;
    await once(started, 'spawn');
    await waitFor(`redis on port ${port}`, async () => (await redisCommand(port, ['PING'])) === 'PONG', { timeoutMs: 10_000 }).catch(
      (error: unknown) => {
        throw new Error(`redis did not start:\n${output.join('').slice(-2_000)}`, { cause: error });
      },
    );
  };
  const kill = async (signal: NodeJS.Signals) => {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill(signal);
    if (signal === 'SIGKILL') await ended;
  };
  await start();
  return {
    port,
    busPort,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      if (child?.pid === undefined) throw new Error('redis does not run');
      return child.pid;
    },
    command: (...words) => redisCommand(port, words),
    signal: kill,
    restart: start,
    async [Symbol.asyncDispose]() {
      await kill('SIGKILL');
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Three masters with a replica each. */
export interface RedisCluster extends AsyncDisposable {
  readonly url: string;
  /** The three that began as masters, then their replicas in the same order. */
  readonly servers: readonly RedisServer[];
  /** The way to each of them, in the same order; none unless asked for. */
  readonly networks: readonly TcpProxy[];
  /** Index into `servers` of the master that has the key now. */
  masterOf(key: string): Promise<number>;
  /** Waits until every node sees the whole cluster served. */
  settled(): Promise<void>;
}

const masters = 3;
const slots = 16_384;

/** @param proxied clients and replicas reach each server through a proxy, which is the address that the Cluster gives them */
export async function startRedisCluster({ proxied = false } = {}): Promise<RedisCluster> {
  await using stack = new AsyncDisposableStack();
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    // A node that stands still for less is not failed over: the machine has other things to do.
    'cluster-node-timeout': '4000',
    'cluster-replica-validity-factor': '0',
    'repl-diskless-sync-delay': '0',
  };
  const servers = await Promise.all(Array.from({ length: masters * 2 }, () => startRedis({ settings })));
  for (const server of servers) stack.use(server);
  const networks = proxied ? await Promise.all(servers.map(({ port }) => createTcpProxy({ port }))) : [];
  for (const [at, network] of networks.entries()) {
    stack.use(network);
    const server = servers[at];
    await server?.command(
      'CONFIG',
      'SET',
      'cluster-announce-port',
      String(network.port),
      'cluster-announce-bus-port',
      String(server.busPort),
    );
  }
  const ids = await Promise.all(servers.map(async (server) => String(await server.command('CLUSTER', 'MYID'))));
  const [first] = servers;
  if (first === undefined) throw new Error('no servers');
  for (const [at, server] of servers.entries()) {
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(at + 1));
    if (at > 0) await server.command('CLUSTER', 'MEET', '127.0.0.1', String(first.port), String(first.busPort));
  }
  for (let at = 0; at < masters; at++) {
    const [from, to] = [Math.floor((at * slots) / masters), Math.floor(((at + 1) * slots) / masters) - 1];
    await servers[at]?.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
  }
  for (const [at, server] of servers.entries()) {
    const master = ids[at - masters];
    if (master === undefined) continue;
    await waitFor('replication to be set', async () => (await server.command('CLUSTER', 'REPLICATE', master)) === 'OK');
  }
  const settled = async () => {
    for (const server of servers) {
      await waitFor(
        `the cluster as ${server.port} sees it`,
        async () => {
          const info = String(await server.command('CLUSTER', 'INFO'));
          const known = String(await server.command('CLUSTER', 'NODES'));
          const replicas = known.split('\n').filter((line) => line.includes('slave') && !line.includes('fail'));
          return /cluster_state:ok/.test(info) && /cluster_slots_ok:16384/.test(info) && replicas.length === masters;
        },
        { timeoutMs: 30_000, intervalMs: 50 },
      );
    }
    for (const server of servers) {
      await waitFor(
        'replicas to follow',
        async () => {
          const info = String(await server.command('INFO', 'replication'));
          return /role:master/.test(info) || /master_link_status:up/.test(info);
        },
        { timeoutMs: 30_000 },
      );
    }
  };
  await settled();
  const opened = stack.move();
  return {
    url: `redis+cluster://${(proxied ? networks : servers).map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    servers,
    networks,
    settled,
    async masterOf(key) {
      for (const server of servers) {
        const answer = await redisCommand(server.port, ['GET', key]).catch((error: unknown) => String(error));
        const moved = /MOVED \d+ \S+:(\d+)/.exec(String(answer));
        if (moved === null && /Error/.test(String(answer))) continue;
        const port = moved === null ? server.port : Number(moved[1]);
        return (proxied ? networks : servers).findIndex((candidate) => candidate.port === port);
      }
      throw new Error('no server of the cluster answers');
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** One command on a connection of its own, past every client library. */
export async function redisCommand(port: number, words: readonly string[], timeoutMs = 10_000): Promise<RedisReply> {
  const socket = createConnection({ host: '127.0.0.1', port });
  const timer = setTimeout(() => socket.destroy(new Error(`redis on ${port} did not answer`)), timeoutMs);
  try {
    socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
    let text = '';
    for await (const chunk of socket) {
      text += (chunk as Buffer).toString('latin1');
      const parsed = parseReply(text, 0);
      if (parsed !== undefined) return parsed.reply;
    }
    throw new Error(`redis on ${port} hung up`);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function parseReply(text: string, at: number): { reply: RedisReply; end: number } | undefined {
  const line = text.indexOf('\r\n', at);
  if (line < 0) return undefined;
  const head = text.slice(at + 1, line);
  const next = line + 2;
  switch (text[at]) {
    case '+':
      return { reply: head, end: next };
    case '-':
      throw new Error(head);
    case ':':
      return { reply: Number(head), end: next };
    case '$': {
      const length = Number(head);
      if (length < 0) return { reply: null, end: next };
      return text.length < next + length + 2 ? undefined : { reply: text.slice(next, next + length), end: next + length + 2 };
    }
    case '*': {
      const replies: RedisReply[] = [];
      let end = next;
      for (let left = Number(head); left > 0; left--) {
        const parsed = parseReply(text, end);
        if (parsed === undefined) return undefined;
        replies.push(parsed.reply);
        end = parsed.end;
      }
      return { reply: replies, end };
    }
    default:
      throw new Error(`redis answered ${text.slice(at, at + 20)}`);
  }
}
