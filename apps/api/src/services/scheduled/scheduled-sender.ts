import { type Logger, NudgeError, type Router } from '@nudge/server-kit';
import { z } from 'zod';
import type { ConversationStore } from '../../store/conversation-store.ts';
import type { ScheduledKey, ScheduledStore, TakenScheduled } from '../../store/scheduled-store.ts';
import type { Appended, Appender } from '../appender/appender.ts';
import { refusal } from '../appender/refusal.ts';

/** Overdue messages read at a time, and sent at a time. */
const PAGE = 100;
const WORKERS = 8;

const keySchema = z.object({ appId: z.string(), userId: z.string(), id: z.uuid() });
const extraSchema = z.object({ mentions: z.array(z.string()).optional() });

export interface ScheduledSenderOptions {
  readonly router: Router<Pick<ConversationStore, 'sentEntry'>>;
  readonly scheduled: ScheduledStore;
  readonly appender: Appender;
  readonly log: Pick<Logger, 'warn' | 'info'>;
}

/**
 * Sends messages whose time has come. Taking a message and cancelling it exclude each other under the row's lock; one that slow mode makes
 * wait is let go of until the next attempt. Sending it twice, after a crash or by two processes, appends it once: its clientMsgId is unique
 * in the conversation.
 */
export class ScheduledSender {
  readonly #options: ScheduledSenderOptions;

  constructor(options: ScheduledSenderOptions) {
    this.#options = options;
  }

  /** What a job says is due. Rejects when the outcome is not known or may be another later: then it is to be tried again. */
  wake(data: unknown): Promise<void> {
    return this.send(keySchema.parse(data));
  }

  async send(key: ScheduledKey): Promise<void> {
    const { scheduled } = this.#options;
    const row = await scheduled.take(key);
    if (row === null) return;
    await scheduled.finish(key, await this.#append(row));
  }

  /** Sends what is overdue by `ageMs` because its job got lost. One that fails is left to the next sweep and delays no other. */
  async sweep(ageMs: number, signal: AbortSignal): Promise<void> {
    const { scheduled, log } = this.#options;
    for (;;) {
      const due = await scheduled.due(ageMs, PAGE);
      const queue = due.values();
      let sent = 0;
      const worker = async (): Promise<void> => {
        for (const key of queue) {
          if (signal.aborted) return;
          try {
            await this.send(key);
            sent += 1;
          } catch (error) {
            log.warn({ err: error }, 'an overdue message could not be sent');
          }
        }
      };
      await Promise.all(Array.from({ length: WORKERS }, worker));
      if (sent > 0) log.info({ messages: sent }, 'overdue messages were sent');
      if (due.length < PAGE || sent < due.length) return;
    }
  }

  /** The code under which it was refused, `null` when it is in the conversation. */
  async #append(row: TakenScheduled): Promise<string | null> {
    if (row.senderBanned && !(await this.#wasSent(row))) return 'user_banned';
    const { appId, userId: senderId, conversationId, clientMsgId, contentHash, type, body, extra, countable } = row;
    const { mentions } = extra === null ? {} : extraSchema.parse(JSON.parse(extra));
    try {
      const result = await this.#options.appender.append({
        appId,
        conversationId,
        senderId,
        clientMsgId,
        contentHash,
        type,
        body,
        extra,
        targetSeq: null,
        countable,
        mode: 'scheduled',
        ...(mentions === undefined ? {} : { mentions }),
      });
      return this.#codeOf(result, type);
    } catch (error) {
      if (error instanceof NudgeError && !error.retryable) return error.code;
      // Of the retryable refusals this one alone says for certain that nothing was appended.
      if (error instanceof NudgeError && error.code === 'slow_mode' && row.alone) await this.#options.scheduled.release(row);
      throw error;
    }
  }

  /** Whether an attempt before this one appended it: then it is no longer judged. */
  async #wasSent({ appId, userId: senderId, conversationId, clientMsgId, contentHash }: TakenScheduled): Promise<boolean> {
    const { router } = this.#options;
    const found = await router.route(conversationId).pool.sentEntry({ appId, conversationId, senderId, clientMsgId });
    return found?.contentHash?.equals(contentHash) === true;
  }

  #codeOf(result: Appended, type: string): string | null {
    if (result.status === 'ok' || result.status === 'duplicate') return null;
    throw refusal(result, type);
  }
}
