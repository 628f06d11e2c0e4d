import { rawAppendRate } from '../baselines/raw-append.ts';
import { cpuSeconds, spent } from '../cpu.ts';
import { LoadProcess } from '../load/load-process.ts';
import { NudgeServer } from '../nudge-server.ts';
import { startBaseline } from '../process.ts';
import { perThousand, type Row, round } from '../report/result.ts';
import type { Workload } from './workload.ts';

const SENDERS = 100;
const BODY_BYTES = 256;
const SPREAD = 5_000;

/** W7: how many sends a second, against one hot conversation and spread over many, beside the database alone and an Express handler alone. */
export const w7Append: Workload = async ({ quick, progress }) => {
  const total = quick ? 1_000 : 20_000;
  const spread = quick ? 100 : SPREAD;
  const rows: Row[] = [];
  progress('raw append');
  const raw = {
    hot: await rawAppendRate({ conversations: 1, batch: 50, batches: quick ? 20 : 400, bodyBytes: BODY_BYTES }),
    spread: await rawAppendRate({ conversations: spread, batch: 50, batches: quick ? 20 : 400, bodyBytes: BODY_BYTES }),
  };
  await using load = new LoadProcess();
  progress('bare Express POST');
  const express = await (async () => {
    await using server = await startBaseline('bare-express');
    const senders = Array.from({ length: SENDERS }, () => ({ token: undefined, conversationIds: ['bare'] }));
    const plan = { port: server.port, senders, total, bodyBytes: BODY_BYTES, tag: 'bare', checkSeqs: false };
    await load.run('sends', { ...plan, total: Math.ceil(total / 10), tag: 'warm' });
    const before = cpuSeconds(server.pid);
    const result = await load.run('sends', plan);
    const cost = perThousand(spent(before, cpuSeconds(server.pid)), total);
    rows.push({
      workload: 'W7',
      what: 'bare Express POST',
      figures: { 'requests/s': round(total / result.seconds, 0), 'CPU s/1000': cost.both },
      problems: result.problems,
    });
    return cost.both;
  })();

  await using server = await NudgeServer.start();
  progress(`preparing ${spread} conversations`);
  const users = await server.users('w7-', SENDERS);
  const hot = await server.group(users.map(({ id }) => id));
  const many: string[][] = users.map(() => []);
  for (let index = 0; index < spread; index += 1) {
    const user = users[index % SENDERS];
    if (user !== undefined) many[index % SENDERS]?.push(await server.group([user.id]));
  }
  const kinds = [
    { what: 'one hot conversation', ids: users.map(() => [hot]), raw: raw.hot },
    { what: `spread over ${spread}`, ids: many, raw: raw.spread },
  ];
  for (const { what, ids, raw: rawRate } of kinds) {
    progress(`sends, ${what}`);
    const senders = users.map(({ token }, index) => ({ token, conversationIds: ids[index] ?? [] }));
    const plan = { port: server.port, senders, total, bodyBytes: BODY_BYTES, tag: what.slice(0, 3), checkSeqs: true };
    await load.run('sends', { ...plan, total: Math.ceil(total / 10), tag: `w${what.slice(0, 3)}` });
    const before = cpuSeconds(server.pid);
    const result = await load.run('sends', plan);
    const cost = perThousand(spent(before, cpuSeconds(server.pid)), total);
    const rate = total / result.seconds;
    rows.push({
      workload: 'W7',
      what: `nudge, ${what}`,
      figures: {
        'appends/s': round(rate, 0),
        'raw appends/s': round(rawRate, 0),
        'x raw': round(rate / rawRate, 2),
        'CPU s/1000': cost.both,
        server: cost.server,
        db: cost.database,
        'server x Express': round(cost.server / express, 2),
      },
      goal: 'server <= 2x Express',
      met: cost.server <= 2 * express,
      problems: result.problems,
    });
  }
  return { rows };
};
