import { LeanWebSocket } from '../lean/websocket.ts';

/** Opens sockets and keeps them open. `tokens` are used in turn. */
export interface IdlePlan {
  readonly port: number;
  readonly sockets: number;
  readonly tokens: readonly string[];
  readonly atOnce: number;
}

export interface IdleResult {
  readonly connected: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

/** Sockets one local address may hold before its ports run out. */
const PER_ADDRESS = 15_000;

const open: LeanWebSocket[] = [];

/** Opens the sockets, each through `welcome`; they stay open, answering pings, until {@link closeIdle}. */
export async function openIdle(plan: IdlePlan): Promise<IdleResult> {
  const start = performance.now();
  const problems: string[] = [];
  let next = 0;
  const one = async () => {
    for (let index = next++; index < plan.sockets; index = next++) {
      const token = plan.tokens[index % plan.tokens.length] ?? '';
      const welcome = Promise.withResolvers<void>();
      // A connection that never came about rejects this too, with nobody waiting for it yet.
      welcome.promise.catch(() => undefined);
      const events = {
        text: (text: string) => {
          if (text === '2') socket?.send('3');
          else if (text[0] === '0') socket?.send(`40${JSON.stringify({ token, deviceId: `d${index}` })}`);
          else if (text.startsWith('42["welcome"')) welcome.resolve();
          else if (text.startsWith('44')) welcome.reject(new Error(text.slice(0, 200)));
        },
        closed: (reason: string) => {
          welcome.reject(new Error(reason));
        },
      };
      let socket: LeanWebSocket | undefined;
      try {
        socket = await LeanWebSocket.connect(
          plan.port,
          '/socket.io/?EIO=4&transport=websocket',
          events,
          `127.0.0.${1 + Math.floor(index / PER_ADDRESS)}`,
        );
        await welcome.promise;
        open.push(socket);
      } catch (error) {
        problems.push(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: plan.atOnce }, one));
  return { connected: open.length, seconds: (performance.now() - start) / 1000, problems: problems.slice(0, 20) };
}

/** Closes what {@link openIdle} opened. */
export function closeIdle(): void {
  for (const socket of open.splice(0)) socket.destroy();
}
