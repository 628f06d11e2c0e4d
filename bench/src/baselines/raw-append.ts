import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppendInput, append, createApp, createConversation, createPool, migrate } from '@nudge/db';
import { startEmbeddedPostgres } from '@nudge/standalone';

const APP = 'bench';

function input(conversationId: string, number: number, bodyBytes: number): AppendInput {
  return {
    appId: APP,
    conversationId,
    senderId: 'sender',
    clientMsgId: `raw-${number}`,
    contentHash: Buffer.alloc(32, number % 256),
    type: 'message',
    body: JSON.stringify({ text: `${number} `.padEnd(bodyBytes, 'x') }),
    targetSeq: null,
    countable: true,
    mode: 'interactive',
  };
}

/** What the database alone takes: the append called with full batches, two in flight, against hot or spread conversations. Appends per second. */
export async function rawAppendRate(options: {
  conversations: number;
  batch: number;
  batches: number;
  bodyBytes: number;
}): Promise<number> {
  const dataDir = await mkdtemp(join(tmpdir(), 'nudge-bench-raw-'));
  const silent = () => undefined;
  const postgres = await startEmbeddedPostgres({ dataDir, log: { debug: silent, info: silent, warn: silent, error: silent } });
  const pool = createPool({ connectionString: postgres.connectionString, max: 2, applicationName: 'bench' });
  try {
    await migrate(postgres.connectionString, {});
    await createApp(pool, { id: APP, name: APP });
    const ids = Array.from({ length: options.conversations }, () => randomUUID());
    for (const id of ids) {
      await createConversation(pool, {
        id,
        appId: APP,
        type: 'group',
        createdBy: 'sender',
        members: [],
        title: null,
        metadata: null,
        history: 'full',
        outboxId: randomUUID(),
      });
    }
    let next = 0;
    const lane = async (batches: number) => {
      for (let done = 0; done < batches; done += 1) {
        const inputs = Array.from({ length: options.batch }, () => input(ids[next % ids.length] ?? '', next++, options.bodyBytes));
        const results = await append(pool, { route: inputs[0]?.conversationId ?? '', outboxId: randomUUID(), inputs });
        const refused = results.find(({ status }) => status !== 'ok');
        if (refused !== undefined) throw new Error(`raw append: ${refused.status}`);
      }
    };
    await Promise.all([lane(5), lane(5)]);
    const start = performance.now();
    await Promise.all([lane(options.batches / 2), lane(options.batches / 2)]);
    return (options.batches * options.batch) / ((performance.now() - start) / 1000);
  } finally {
    await pool.end();
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}
