import type { Clock } from '@nudge/server-kit';
import type { SyncRequest } from '@nudge/types';
import type { CatchUpService } from './catch-up-service.ts';
import type { HeadsService } from './heads-service.ts';
import { encodeDelta, type LogDelta, type NamedLog } from './log-delta.ts';
import type { Turnstile } from './turnstile.ts';
import type { UserLogs } from './user-logs.ts';
import { within } from './waiting.ts';

/** Who asks, and in which generation of the database. */
export interface Asker {
  readonly appId: string;
  readonly userId: string;
  readonly epoch: number;
}

/** What {@link SyncService} needs. */
export interface SyncServiceOptions {
  readonly catchUp: CatchUpService;
  readonly userLogs: UserLogs;
  readonly heads: HeadsService;
  readonly turnstile: Turnstile;
  readonly clock: Clock;
  /** How long a request waits for the database once it is its turn, ms. */
  readonly waitMs: number;
  /** Entries over all logs when the request does not say. */
  readonly syncEntries: number;
  /** Heads on a page when the request does not say. */
  readonly pageHeads: number;
}

/** Everything a device missed, over many logs, in one answer. */
export class SyncService {
  readonly #options: SyncServiceOptions;

  constructor(options: SyncServiceOptions) {
    this.#options = options;
  }

  /** The answer of `POST /v1/sync` as JSON text. Its `serverTime` lies before everything it was read from. */
  async answer(asker: Asker, request: SyncRequest, signal: AbortSignal): Promise<Buffer> {
    return this.#options.turnstile.pass(() => this.#answer(asker, request, signal), signal);
  }

  async #answer(asker: Asker, request: SyncRequest, signal: AbortSignal): Promise<Buffer> {
    const { catchUp, userLogs, clock, waitMs, syncEntries } = this.#options;
    const { appId, userId, epoch } = asker;
    const patience = { clock, ms: waitMs, signal };
    const serverTime = new Date(clock.now()).toISOString();
    const logs = Object.entries(request.conversations ?? {}).map(
      ([conversationId, { after, min }]): NamedLog => ({ conversationId, after, min: min ?? undefined }),
    );
    const [deltas, feed, app, heads] = await Promise.all([
      logs.length === 0 ? [] : catchUp.deltas({ ...asker, logs, limit: request.limit ?? syncEntries }, signal),
      request.feed ? within(userLogs.feed(appId, userId, request.feed), patience) : undefined,
      request.app ? within(userLogs.app(appId, request.app), patience) : undefined,
      request.heads ? within(this.#heads(asker, request.heads), patience) : undefined,
    ]);
    let opening = `{"epoch":${epoch},"serverTime":"${serverTime}",`;
    if (feed !== undefined) opening += `"feed":${feed},`;
    if (app !== undefined) opening += `"app":${app},`;
    if (heads !== undefined) opening += `"heads":${heads},`;
    return join(`${opening}"conversations":{`, logs, deltas);
  }

  async #heads({ appId, userId }: Asker, asked: NonNullable<SyncRequest['heads']>): Promise<string> {
    const { heads, pageHeads } = this.#options;
    const { since, cursor, limit } = asked;
    return JSON.stringify(
      await heads.list({ appId, userId, limit: limit ?? pageHeads, cursor: cursor ?? undefined, since: since ?? undefined }),
    );
  }
}

/** Puts the deltas into the answer as they are encoded: pages that many devices share were encoded once. */
function join(opening: string, logs: readonly NamedLog[], deltas: readonly LogDelta[]): Buffer {
  const parts: Buffer[] = [Buffer.from(opening)];
  logs.forEach(({ conversationId }, index) => {
    const delta = deltas[index];
    if (delta === undefined) return;
    parts.push(Buffer.from(`${index === 0 ? '' : ','}"${conversationId}":`), ...encodeDelta(delta));
  });
  parts.push(Buffer.from('}}'));
  return Buffer.concat(parts);
}
