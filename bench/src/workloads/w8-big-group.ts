import { LeanHttp } from '../lean/http.ts';
import { LoadProcess } from '../load/load-process.ts';
import { type BenchUser, NudgeServer } from '../nudge-server.ts';
import { startBaseline } from '../process.ts';
import { perThousand, type Row, round } from '../report/result.ts';
import { bareCast, castGroups } from './casts.ts';
import { measuredTalk } from './talk.ts';
import type { Workload } from './workload.ts';

const MEMBERS = 10_000;
const ONLINE = 1_000;
const RATE = 20;
const BODY_BYTES = 256;
const P99_MS = 1_000;

/** W8: a group of 10,000. What it costs its sender, its creator and whoever adds a member; then a tenth of it online. */
export const w8BigGroup: Workload = async ({ quick, progress }) => {
  const rows: Row[] = [];
  const members = quick ? 500 : MEMBERS;
  const online = quick ? 50 : ONLINE;
  const bare = await bareFanOut(online, quick, progress, rows);

  await using server = await NudgeServer.start();
  progress(`preparing ${members} users`);
  const [sender, peer] = await server.users('w8-sender-', 2);
  if (sender === undefined || peer === undefined) throw new Error('no sender');
  const crowd = await server.absentUsers('w8-crowd-', members);
  const pair = await server.group([sender.id, peer.id]);
  const small = await server.group([sender.id, ...crowd.slice(0, 9)]);
  const createdAt = performance.now();
  const big = await server.group([sender.id, ...crowd.slice(0, members - 1)]);
  const createdMs = performance.now() - createdAt;
  const http = new LeanHttp(server.port, sender.token);
  const { lastSeq } = await read(http, `/v1/conversations/${big}`);
  rows.push({
    workload: 'W8',
    what: `creating a group of ${members}`,
    figures: { ms: round(createdMs, 0), entries: lastSeq },
    goal: 'one entry, < 2 s',
    met: createdMs < 2_000 && lastSeq === 1,
    problems: [],
  });

  progress('sends into a pair and into the group, in turn');
  rows.push(await compareSends(http, pair, big, quick ? 50 : 2_000));
  progress('adding and removing in a group of 10 and in the big one, in turn');
  rows.push(await compareMembers(http, small, big, peer, quick ? 10 : 200));
  http.destroy();

  progress(`${online} of ${members} online at ${RATE} messages/s`);
  const cast = await castGroups(server, 'w8-online-', 1, online, crowd.slice(0, members - online));
  await using load = new LoadProcess();
  await load.run('open', { kind: 'nudge', cast });
  const plan = { rate: RATE, seconds: quick ? 2 : 15, bodyBytes: BODY_BYTES, seed: 8, settleMs: 20_000 };
  await load.run('talk', { ...plan, rate: 5, seed: 81, seconds: 3 });
  const { result, cpu } = await measuredTalk(load, server.pid, plan);
  const cost = perThousand(cpu, result.delivered);
  const ratio = round(cost.both / bare, 2);
  rows.push({
    workload: 'W8',
    what: `${online} of ${members} online at ${RATE}/s`,
    figures: {
      'CPU s/1000': cost.both,
      server: cost.server,
      db: cost.database,
      'x bare': ratio,
      'p50 ms': result.latency.p50,
      'p99 ms': result.latency.p99,
    },
    goal: `<= 1x bare, p99 <= ${P99_MS} ms`,
    met: ratio <= 1 && result.latency.p99 <= P99_MS,
    problems: result.problems,
  });
  return { rows };
};

async function bareFanOut(online: number, quick: boolean, progress: (line: string) => void, rows: Row[]): Promise<number> {
  await using server = await startBaseline('bare-ws');
  await using load = new LoadProcess();
  await load.run('open', { kind: 'bare', cast: bareCast(server.port, 1, online) });
  const plan = { rate: RATE, seconds: quick ? 2 : 15, bodyBytes: BODY_BYTES, seed: 8, settleMs: 20_000 };
  await load.run('talk', { ...plan, rate: 5, seed: 81, seconds: 2 });
  progress(`bare fan-out to ${online} at ${RATE} messages/s`);
  const { result, cpu } = await measuredTalk(load, server.pid, plan);
  const { both } = perThousand(cpu, result.delivered);
  rows.push({ workload: 'W8', what: `bare ws fan-out to ${online}`, figures: { 'CPU s/1000': both }, problems: result.problems });
  return both;
}

/** One send into each in turn, so that both meet the same machine; medians. */
async function compareSends(http: LeanHttp, pair: string, big: string, rounds: number): Promise<Row> {
  const problems: string[] = [];
  const times: Record<string, number[]> = { [pair]: [], [big]: [] };
  const text = 'x'.repeat(BODY_BYTES);
  for (let n = -20; n < rounds; n += 1) {
    for (const id of n % 2 === 0 ? [pair, big] : [big, pair]) {
      const started = performance.now();
      const answer = await http.request(
        'POST',
        `/v1/conversations/${id}/messages`,
        JSON.stringify({ clientMsgId: `s${n}`, body: { text } }),
      );
      if (answer.status !== 201) problems.push(`${answer.status} ${answer.text.slice(0, 200)}`);
      if (n >= 0) times[id]?.push(performance.now() - started);
    }
  }
  const toPair = median(times[pair] ?? []);
  const toBig = median(times[big] ?? []);
  const ratio = round(toBig / toPair, 2);
  return {
    workload: 'W8',
    what: 'a send, median until the answer',
    figures: { 'pair ms': round(toPair, 2), 'group ms': round(toBig, 2), 'x pair': ratio },
    goal: '<= 1.2x a pair',
    met: ratio <= 1.2,
    problems,
  };
}

/** Adds and removes one user in each in turn; medians of the sum. */
async function compareMembers(http: LeanHttp, small: string, big: string, user: BenchUser, rounds: number): Promise<Row> {
  const problems: string[] = [];
  const times: Record<string, number[]> = { [small]: [], [big]: [] };
  for (let n = -5; n < rounds; n += 1) {
    for (const id of n % 2 === 0 ? [small, big] : [big, small]) {
      const started = performance.now();
      for (const method of ['PUT', 'DELETE']) {
        const answer = await http.request(method, `/v1/conversations/${id}/members/${user.id}`, method === 'PUT' ? '{}' : undefined);
        if (answer.status !== 200) problems.push(`${method} ${answer.status} ${answer.text.slice(0, 200)}`);
      }
      if (n >= 0) times[id]?.push(performance.now() - started);
    }
  }
  const inSmall = median(times[small] ?? []);
  const inBig = median(times[big] ?? []);
  const ratio = round(inBig / inSmall, 2);
  return {
    workload: 'W8',
    what: 'adding and removing a member, median',
    figures: { 'of 10 ms': round(inSmall, 2), 'of the group ms': round(inBig, 2), 'x of 10': ratio },
    problems,
  };
}

async function read(http: LeanHttp, path: string): Promise<{ lastSeq: number }> {
  const { text } = await http.request('GET', path);
  return (JSON.parse(text) as { conversation: { lastSeq: number } }).conversation;
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
