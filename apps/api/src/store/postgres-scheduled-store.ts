import {
  cancelScheduled,
  dueScheduled,
  finishScheduled,
  insertScheduled,
  listScheduled,
  type Pool,
  releaseScheduled,
  takeScheduled,
} from '@nudge/db';
import type { NewScheduled, ScheduledKey, ScheduledRow, ScheduledStore, ScheduleResult, TakenScheduled } from './scheduled-store.ts';

/** Messages that wait for their time, on one PostgreSQL. */
export class PostgresScheduledStore implements ScheduledStore {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  async insert(message: NewScheduled, bound: number): Promise<ScheduleResult> {
    const result = await insertScheduled(this.#pool, message, bound);
    return result.status === 'limit_reached' ? { status: 'limit_reached' } : result;
  }

  list(appId: string, userId: string, fromId: string | null, limit: number): Promise<readonly ScheduledRow[]> {
    return listScheduled(this.#pool, appId, userId, fromId, limit);
  }

  cancel({ appId, userId, id }: ScheduledKey): Promise<boolean> {
    return cancelScheduled(this.#pool, appId, userId, id);
  }

  take({ appId, userId, id }: ScheduledKey): Promise<TakenScheduled | null> {
    return takeScheduled(this.#pool, appId, userId, id);
  }

  release(taken: ScheduledKey & Pick<TakenScheduled, 'takenAt'>): Promise<void> {
    return releaseScheduled(this.#pool, taken);
  }

  finish({ appId, userId, id }: ScheduledKey, failedCode: string | null): Promise<void> {
    return finishScheduled(this.#pool, appId, userId, id, failedCode);
  }

  due(olderThanMs: number, limit: number): Promise<readonly ScheduledKey[]> {
    return dueScheduled(this.#pool, { olderThanMs, limit });
  }
}
