import { cpuSeconds, spent } from '../cpu.ts';
import { LoadProcess } from '../load/load-process.ts';
import { NudgeServer } from '../nudge-server.ts';
import { perThousand, round } from '../report/result.ts';
import type { Workload } from './workload.ts';

const CONVERSATIONS = 50;
const ENTRIES_PER_CONVERSATION = 20;
const DEVICES = 300;
const USERS = 30;
const BODY_BYTES = 256;

/** W4: devices that were away come back at the same time, each 1,000 entries behind in 50 conversations. */
export const w4CatchUp: Workload = async ({ quick, progress }) => {
  const devices = quick ? 30 : DEVICES;
  await using server = await NudgeServer.start();
  progress(`${CONVERSATIONS} conversations with ${ENTRIES_PER_CONVERSATION} new messages each`);
  const users = await server.users('w4-', USERS);
  const ids: string[] = [];
  for (let index = 0; index < CONVERSATIONS; index += 1) ids.push(await server.group(users.map(({ id }) => id)));
  await using load = new LoadProcess();
  const filled = await load.run('sends', {
    port: server.port,
    senders: users.slice(0, 10).map(({ token }, index) => ({ token, conversationIds: ids.slice(index * 5, index * 5 + 5) })),
    total: CONVERSATIONS * ENTRIES_PER_CONVERSATION,
    bodyBytes: BODY_BYTES,
    tag: 'fill',
    checkSeqs: true,
  });
  // Senders take the next number of a shared count, so a conversation's share can differ by a few; each device starts so that 1,000 are due.
  const cursors = Object.fromEntries(ids.map((id) => [id, 1]));
  progress(`${devices} devices come back`);
  const before = cpuSeconds(server.pid);
  const result = await load.run('catchUp', {
    port: server.port,
    devices: Array.from({ length: devices }, (_, index) => ({ token: users[index % users.length]?.token ?? '', cursors })),
    entriesEach: CONVERSATIONS * ENTRIES_PER_CONVERSATION,
    bodyBytes: BODY_BYTES,
  });
  const cost = perThousand(spent(before, cpuSeconds(server.pid)), result.entries);
  return {
    rows: [
      {
        workload: 'W4',
        what: `${devices} devices x 1,000 entries`,
        figures: {
          'total s': round(result.seconds, 2),
          'CPU s/1000 entries': cost.both,
          server: cost.server,
          db: cost.database,
          requests: result.requests,
          'p50 device ms': result.latency.p50,
        },
        goal: '<= 2.5 s and <= 0.009',
        met: result.seconds <= 2.5 && cost.both <= 0.009,
        problems: [...filled.problems, ...result.problems],
      },
    ],
  };
};
