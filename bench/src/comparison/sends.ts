import { LoadProcess } from '../load/load-process.ts';
import type { NudgeServer } from '../nudge-server.ts';
import type { Row } from '../report/result.ts';
import type { Effort } from '../workloads/workload.ts';
import { inTurns, type Side } from './turns.ts';

const SENDERS = 100;
const BODY_BYTES = 256;
const SPREAD = 1_000;

/** W7 on both: sends in a closed loop, to one hot conversation and spread over many. */
export async function compareSends(servers: Readonly<Record<Side, NudgeServer>>, { quick, progress }: Effort): Promise<Row[]> {
  const rounds = quick ? 2 : 24;
  const total = quick ? 500 : 4_000;
  const pids = { here: servers.here.pid, there: servers.there.pid };
  progress('preparing conversations on both');
  const casts = { here: await prepare(servers.here), there: await prepare(servers.there) };
  await using load = new LoadProcess();
  const rows: Row[] = [];
  for (const kind of ['hot', 'spread'] as const) {
    progress(`sends, ${kind}: ${rounds} rounds of ${total} to each`);
    const row = await inTurns(kind === 'hot' ? 'one hot conversation' : `spread over ${SPREAD}`, rounds, pids, async (side, round) => {
      const { port, senders } = casts[side][kind];
      const result = await load.run('sends', { port, senders, total, bodyBytes: BODY_BYTES, tag: `${kind}${round}`, checkSeqs: true });
      return { done: result.sent, seconds: result.seconds, problems: result.problems };
    });
    rows.push({ ...row, workload: 'W7' });
  }
  return rows;
}

async function prepare(server: NudgeServer) {
  const users = await server.users('w7-', SENDERS);
  const hot = await server.group(users.map(({ id }) => id));
  const own: string[][] = users.map(() => []);
  for (let index = 0; index < SPREAD; index += 1) {
    const user = users[index % SENDERS];
    if (user !== undefined) own[index % SENDERS]?.push(await server.group([user.id]));
  }
  const cast = (ids: (index: number) => string[]) => ({
    port: server.port,
    senders: users.map(({ token }, index) => ({ token, conversationIds: ids(index) })),
  });
  return { hot: cast(() => [hot]), spread: cast((index) => own[index] ?? []) } satisfies Record<string, unknown>;
}
