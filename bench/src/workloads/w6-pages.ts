import { cpuSeconds, spent } from '../cpu.ts';
import { LeanHttp } from '../lean/http.ts';
import { LoadProcess } from '../load/load-process.ts';
import { NudgeServer } from '../nudge-server.ts';
import { startBaseline } from '../process.ts';
import { perThousand, type Row, round } from '../report/result.ts';
import type { Workload } from './workload.ts';

const HISTORY = 2_000;
const PAGE = 50;
const BODY_BYTES = 256;

/** W6: pages of history at random places, and the same newest page over and over, against a bare handler that returns the same bytes. */
export const w6Pages: Workload = async ({ quick, progress }) => {
  const requests = quick ? 500 : 20_000;
  await using server = await NudgeServer.start();
  const [user] = await server.users('w6-', 1);
  if (user === undefined) throw new Error('no user');
  const id = await server.group([user.id]);
  await using load = new LoadProcess();
  progress(`a conversation of ${HISTORY} messages`);
  const senders = Array.from({ length: 20 }, () => ({ token: user.token, conversationIds: [id] }));
  const filled = await load.run('sends', {
    port: server.port,
    senders,
    total: HISTORY,
    bodyBytes: BODY_BYTES,
    tag: 'fill',
    checkSeqs: true,
  });
  const path = `/v1/sync/conversations/${id}/entries`;
  const http = new LeanHttp(server.port, user.token);
  const tail = `${path}?after=${HISTORY + 1 - PAGE}&min=${HISTORY + 1}&limit=${PAGE}`;
  const { text } = await http.request('GET', tail);
  http.destroy();
  const rows: Row[] = [];
  const run = async (what: string, pid: number, port: number, paths: readonly string[]) => {
    progress(what);
    const plan = { port, token: user.token, paths, requests, connections: 8, entriesEach: PAGE, seed: 6 };
    await load.run('pages', { ...plan, requests: Math.ceil(requests / 10) });
    const before = cpuSeconds(pid);
    const result = await load.run('pages', plan);
    const cost = perThousand(spent(before, cpuSeconds(pid)), requests);
    return { what, cost, problems: result.problems };
  };
  const bare = await (async () => {
    await using baseline = await startBaseline('bare-http', text);
    return await run('bare node:http, same bytes', baseline.pid, baseline.port, [tail]);
  })();
  rows.push({ workload: 'W6', what: bare.what, figures: { 'CPU s/1000 pages': bare.cost.both }, problems: bare.problems });
  const random = Array.from({ length: 200 }, (_, index) => `${path}?before=${PAGE + 2 + index * 9}&limit=${PAGE}`);
  for (const [what, paths, goal] of [
    ['tail cache', [tail], 1.5],
    ['random history', random, undefined],
  ] as const) {
    const { cost, problems } = await run(`nudge, ${what}`, server.pid, server.port, paths);
    const ratio = round(cost.both / bare.cost.both, 2);
    rows.push({
      workload: 'W6',
      what: `nudge, ${what}`,
      figures: { 'CPU s/1000 pages': cost.both, server: cost.server, db: cost.database, 'x bare': ratio },
      ...(goal === undefined ? {} : { goal: `<= ${goal}x bare`, met: ratio <= goal }),
      problems: [...filled.problems, ...problems],
    });
  }
  return { rows };
};
