import { setTimeout as delay } from 'node:timers/promises';
import { createBoss, type PERIODIC } from './boss.ts';
import type { QueueName } from './jobs.ts';

/** Milliseconds between looks at what the library builds in the background. */
const LOOK_MS = 250;

/** Longest wait for another process that creates the same. */
const ATTEMPTS = 3;

/**
 * A try of a waiting job costs nothing that is lost, so there is no last one; what was finished is kept long enough to be looked at.
 * A job whose process died counts as failed after `expireInSeconds`.
 */
const queues: Record<QueueName | typeof PERIODIC, object> = {
  scheduled: { retryLimit: 1_000_000, retryDelay: 1, retryBackoff: true, retryDelayMax: 60, expireInSeconds: 60, deleteAfterSeconds: 60 },
  // A run that failed is not tried again: the next one is due soon.
  periodic: { retryLimit: 0, expireInSeconds: 300, retentionSeconds: 60, deleteAfterSeconds: 60 },
};

/** Queues without which the API is not ready. */
export const queueNames: readonly string[] = Object.keys(queues);

/**
 * Creates or upgrades the tables of the background jobs, in a schema of their own, and the queues in them. May be run at any time, by
 * several at once; `npm run db:migrate` does. Answers whether anything was there before.
 */
export async function migrateJobs(connectionString: string): Promise<{ readonly created: boolean }> {
  for (let attempt = 1; ; attempt += 1) {
    // Building an index may take long.
    const boss = createBoss(connectionString, { migrate: true, options: '-c lock_timeout=10000' });
    const failures: Error[] = [];
    boss.on('error', (error) => failures.push(error));
    try {
      await boss.start();
      const before = await boss.getQueues([...queueNames]);
      for (const [name, options] of Object.entries(queues)) {
        if (before.some((queue) => queue.name === name)) await boss.updateQueue(name, options);
        else await boss.createQueue(name, options);
      }
      while (await isBuilding(boss)) await delay(LOOK_MS);
      return { created: before.length === 0 };
    } catch (error) {
      if (attempt >= ATTEMPTS) throw error;
      await delay(LOOK_MS);
    } finally {
      await boss.stop({ graceful: false });
    }
  }
}

async function isBuilding(boss: ReturnType<typeof createBoss>): Promise<boolean> {
  const entries = await boss.getBamEntries();
  const failed = entries.find((entry) => entry.status === 'failed');
  if (failed !== undefined) throw new Error(`the jobs' table ${failed.table} could not be upgraded: ${failed.error ?? 'unknown reason'}`);
  return entries.some((entry) => entry.status !== 'completed');
}
