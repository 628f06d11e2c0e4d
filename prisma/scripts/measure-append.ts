import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { append, createApp, createConversation, createPool, migrate } from '../src/index.ts';

// What one append costs, on one connection: DATABASE_URL=postgres://... npm run measure -w @nudge/db. On a scratch database; Linux, same machine.
const connectionString = process.env.DATABASE_URL;
if (connectionString === undefined) throw new Error('DATABASE_URL is not set: name a scratch database on this machine');
const ROUNDS = 5;
const MESSAGES = 3_000;

await migrate(connectionString);
const pool = createPool({ connectionString, applicationName: 'measure', max: 1 });
await createApp(pool, { id: 'measure' });
const base = { appId: 'measure', type: 'group', createdBy: 'u0', title: null, metadata: null, history: 'full' } as const;
const members = Array.from({ length: 9 }, (_, index) => `u${index + 1}`);
const ids: string[] = [];
for (let index = 0; index < 200; index += 1) {
  const id = randomUUID();
  await createConversation(pool, { ...base, id, members, outboxId: randomUUID() });
  ids.push(id);
}
const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');

/** CPU microseconds that the server's process has used; the kernel counts in hundredths of a second. */
async function serverCpu(): Promise<number> {
  const stat = await readFile(`/proc/${rows[0]?.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

const anyOf = (count: number): number => Math.floor(Math.random() * count);
const body = JSON.stringify({ text: 'x'.repeat(200) });
const message = (conversationId: string) => ({
  appId: 'measure',
  conversationId,
  senderId: `u${anyOf(10)}`,
  clientMsgId: randomUUID(),
  contentHash: Buffer.alloc(32, 1),
  type: 'message',
  body,
  targetSeq: null,
  countable: true,
  mode: 'interactive' as const,
});

const shapes: readonly (readonly [string, number, number])[] = [
  ['one conversation, one by one', 1, 1],
  ['200 conversations, 20 a call', 20, 200],
  ['200 conversations, 50 a call', 50, 200],
  ['one conversation, 50 a call', 50, 1],
];
for (const [name, size, spread] of shapes) {
  let server = Number.POSITIVE_INFINITY;
  let client = Number.POSITIVE_INFINITY;
  let rate = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const total = size === 1 ? MESSAGES / 4 : MESSAGES;
    const before = { server: await serverCpu(), client: process.cpuUsage(), time: performance.now() };
    for (let sent = 0; sent < total; sent += size) {
      const inputs = Array.from({ length: size }, () => message(ids[anyOf(spread)] ?? ''));
      await append(pool, { route: inputs[0]?.conversationId ?? '', outboxId: randomUUID(), inputs });
    }
    const { user, system } = process.cpuUsage(before.client);
    server = Math.min(server, ((await serverCpu()) - before.server) / total);
    client = Math.min(client, (user + system) / total);
    rate = Math.max(rate, (total * 1000) / (performance.now() - before.time));
  }
  console.log(`${name}: server ${server.toFixed(0)} us, client ${client.toFixed(0)} us of CPU a message, ${rate.toFixed(0)} messages/s`);
}
await pool.end();
