import { randomUUIDv7 } from 'node:crypto';
import { type Clock, type Logger, NudgeError, type Router } from '@nudge/server-kit';
import { errorCodes, type Limits, type ScheduledMessage } from '@nudge/types';
import type { ConversationStore } from '../../store/conversation-store.ts';
import type { ScheduledRow, ScheduledStore } from '../../store/scheduled-store.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Scheduled, ScheduledSend, Scheduler } from '../messages/scheduler.ts';

export interface ScheduledMessagesOptions {
  readonly router: Router<ConversationStore>;
  readonly scheduled: ScheduledStore;
  readonly jobs: Pick<Jobs, 'enqueue' | 'forget'>;
  readonly limits: Pick<Limits, 'scheduleAheadSeconds' | 'scheduledPerUser' | 'pageEntries'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
}

/** Keeps messages until their time: its row is the truth of each, the job only wakes whoever sends it. */
export class ScheduledMessages implements Scheduler {
  readonly #options: ScheduledMessagesOptions;

  constructor(options: ScheduledMessagesOptions) {
    this.#options = options;
  }

  async schedule(send: ScheduledSend): Promise<Scheduled> {
    const { router, scheduled, limits, clock } = this.#options;
    const { appId, conversationId, senderId: userId, clientMsgId, contentHash, type, body, extra, countable } = send;
    const standing = await router.route(conversationId).pool.standing({ appId, conversationId, userId });
    if (standing === null || !standing.current) throw new NudgeError('not_found');
    const at = Date.parse(send.sendAt);
    const fault = this.#faultOf(at);
    const key = { appId, userId, id: randomUUIDv7() };
    // A request that is repeated when its time has come, but not yet been seen to, must not fail for that: it is looked up all the same.
    const sendAt = new Date(fault === undefined ? at : clock.now()).toISOString();
    const message = { ...key, conversationId, clientMsgId, contentHash, type, body, extra, countable, sendAt };
    const result = await scheduled.insert(message, fault === undefined ? limits.scheduledPerUser : 0);
    if (result.status === 'limit_reached') {
      if (fault !== undefined)
        throw new NudgeError('invalid_request', { detail: fault, issues: [{ path: 'body.sendAt', message: fault }] });
      throw new NudgeError('limit_reached', { detail: `${limits.scheduledPerUser} messages wait already (scheduledPerUser)` });
    }
    if (result.status === 'created') await this.#wake(key, at);
    const answered = answer(result, result.same);
    if (result.status === 'exists') await this.#refuseFailed(appId, userId, result.id);
    return answered;
  }

  /** A user's messages that wait or were refused, by id, after `cursor`. */
  async list(
    appId: string,
    userId: string,
    page: { readonly cursor: string | undefined; readonly limit: number | undefined },
  ): Promise<{ items: ScheduledMessage[]; nextCursor: string | null }> {
    const limit = page.limit ?? Math.min(50, this.#options.limits.pageEntries);
    const cursor = page.cursor?.toLowerCase() ?? null;
    // The cursor's own row is left out, and one more than the page tells whether there is another.
    const found = await this.#options.scheduled.list(appId, userId, cursor, limit + 2);
    const rows = found.filter((row) => row.id !== cursor);
    const items = rows.slice(0, limit).map(view);
    return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  /** Whether it was cancelled: false when it is being sent now. Throws `not_found` when there is none, or it has been sent. */
  async cancel(appId: string, userId: string, scheduledId: string): Promise<boolean> {
    const { scheduled, jobs, log } = this.#options;
    const id = scheduledId.toLowerCase();
    if (await scheduled.cancel({ appId, userId, id })) {
      await jobs.forget('scheduled', id).catch((error: unknown) => log.warn({ err: error }, 'the job of a cancelled message stays'));
      return true;
    }
    const [found] = await scheduled.list(appId, userId, id, 1);
    if (found?.id !== id) throw new NudgeError('not_found');
    return false;
  }

  #faultOf(at: number): string | undefined {
    const { limits, clock } = this.#options;
    const now = clock.now();
    if (Number.isNaN(at)) return 'is no time';
    if (at <= now) return 'lies not ahead';
    if (at > now + limits.scheduleAheadSeconds * 1_000) {
      return `lies more than ${limits.scheduleAheadSeconds} seconds ahead (scheduleAheadSeconds)`;
    }
    return undefined;
  }

  /** One that was refused at its time will never be sent: whoever asks again is told why. */
  async #refuseFailed(appId: string, userId: string, id: string): Promise<void> {
    const [row] = await this.#options.scheduled.list(appId, userId, id, 1);
    const code = errorCodes.find((known) => known === row?.failedCode);
    if (row?.id === id && code !== undefined) throw new NudgeError(code, { detail: 'The message was refused when its time came' });
  }

  async #wake(key: { readonly appId: string; readonly userId: string; readonly id: string }, at: number): Promise<void> {
    const { jobs, log } = this.#options;
    try {
      await jobs.enqueue('scheduled', { id: key.id, data: key, at: new Date(at) });
    } catch (error) {
      log.warn({ err: error }, 'a scheduled message has no job: the sweep will send it');
    }
  }
}

function answer({ id, sendAt }: { readonly id: string; readonly sendAt: string }, same: boolean): Scheduled {
  if (!same) throw new NudgeError('client_msg_id_reused', { detail: 'Use a new clientMsgId for another message' });
  return { scheduledId: id, sendAt };
}

function view({ id, conversationId, clientMsgId, type, body, sendAt, createdAt, failedCode }: ScheduledRow): ScheduledMessage {
  const shown = { id, conversationId, clientMsgId, type, body: JSON.parse(body) as Record<string, unknown>, sendAt, createdAt };
  return failedCode === null ? shown : { ...shown, failed: failedCode };
}
