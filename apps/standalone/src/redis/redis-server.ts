import { once } from 'node:events';
import { createConnection } from 'node:net';
import { type ProcessEvent, SupervisedProcess } from '@nudge/server-kit';
import { redisServerBinary } from './redis-binary.ts';

const answerMs = 1_000;

export interface RedisServerOptions {
  readonly port: number;
  readonly onLine?: (line: string) => void;
  readonly onEvent?: (event: ProcessEvent) => void;
}

/** A `redis-server` on 127.0.0.1, started again when it ends by itself. It stores nothing: what is in Redis is rebuilt by those who put it there. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly process: SupervisedProcess;
}

export async function startRedisServer({ port, onLine, onEvent }: RedisServerOptions): Promise<RedisServer> {
  const binary = await redisServerBinary({ onInstall: onLine });
  const settings = { bind: '127.0.0.1', port: String(port), save: '', appendonly: 'no', dir: '/tmp' };
  const started = await SupervisedProcess.start({
    name: 'redis',
    command: [binary, ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])],
    env: {},
    check: () => answersPing(port),
    startMs: 10_000,
    stopMs: 3_000,
    ...(onLine === undefined ? {} : { onLine }),
    ...(onEvent === undefined ? {} : { onEvent }),
  });
  return { url: `redis://127.0.0.1:${port}`, process: started, [Symbol.asyncDispose]: () => started.stop() };
}

async function answersPing(port: number): Promise<boolean> {
  const socket = createConnection({ host: '127.0.0.1', port });
  socket.setTimeout(answerMs, () => socket.destroy(new Error('redis does not answer')));
  try {
    socket.write('PING\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer.toString().startsWith('+PONG');
  } finally {
    socket.destroy();
  }
}
