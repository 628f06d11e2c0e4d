import { NudgeError, type Router } from '@nudge/server-kit';
import type { DetailStore, Pin, Receipt, ReceiptCounts } from '../store/detail-store.ts';
import type { ConversationServers, Pair, PullStore } from '../store/pull-store.ts';
import { isTombstone, masked, reactedOf, senderOf } from './entry-text.ts';
import { ownReactions } from './own-reactions.ts';
import type { Source } from './page-reader.ts';
import { decodeReactionsCursor, encodeReactionsCursor } from './reactions-cursor.ts';
import type { Confirmed, Standings } from './standings.ts';
import { Turnstile } from './turnstile.ts';

/** Who asks about which conversation. */
export interface DetailsQuery extends Pair {
  readonly appId: string;
}

/** A page of receipts by user id; with `seq` also how many have read it. */
export interface ReceiptsQuery extends DetailsQuery {
  readonly seq: number | undefined;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/** A page of the reactions to one entry, with `emoji` only of those with that one. */
export interface ReactionsQuery extends DetailsQuery {
  readonly seq: number;
  readonly emoji: string | undefined;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/** Without `nextCursor` there is no more. */
export interface ReceiptsPage extends Partial<ReceiptCounts> {
  readonly items: Receipt[];
  readonly nextCursor?: string;
}

/** Without `nextCursor` there is no more. */
export interface ReactionsPage {
  readonly items: { readonly userId: string; readonly emoji: string; readonly createdAt: string }[];
  readonly nextCursor?: string;
}

/** Counts over all members that run at the same time. */
const COUNTS_AT_A_TIME = 2;

/** What {@link DetailsService} needs. */
export interface DetailsServiceOptions {
  readonly router: Router<Source>;
  readonly servers: Router<ConversationServers>;
  readonly standings: Standings;
}

interface Admitted {
  readonly confirmed: Confirmed;
  readonly primary: PullStore;
  readonly details: DetailStore;
}

/**
 * Who read, who reacted, what is pinned. Asked now and then, so nothing of it is kept: the primary says who may see what, then gives it.
 * What lies outside the asker's part of the log does not exist.
 */
export class DetailsService {
  readonly #options: DetailsServiceOptions;
  readonly #counting = new Map<string, Promise<ReceiptCounts>>();
  readonly #counters = new Turnstile(COUNTS_AT_A_TIME);

  constructor(options: DetailsServiceOptions) {
    this.#options = options;
  }

  /**
   * With `seq` it is about those who were members when that entry came: whoever joined later has not read it, whatever its position.
   * A member's position is shown no lower than the asker's own start: what lies before is not the asker's.
   *
   * @throws NudgeError `not_found`, also for a seq that the asker does not see or the log has not reached
   */
  async receipts(query: ReceiptsQuery): Promise<ReceiptsPage> {
    const { conversationId, seq, cursor, limit } = query;
    const { confirmed, primary, details } = await this.#admit(query);
    const lowest = confirmed.start - 1;
    if (seq !== undefined) refuseOutside(seq, confirmed);
    const [found, counts] = await Promise.all([
      details.readReceipts(conversationId, cursor, limit + 1, seq),
      seq === undefined ? undefined : this.#sharedCounts(primary, details, conversationId, seq),
    ]);
    const items = found.slice(0, limit).map(({ userId, readSeq, deliveredSeq }) => ({
      userId,
      readSeq: Math.max(lowest, readSeq),
      deliveredSeq: Math.max(lowest, deliveredSeq),
    }));
    const last = items.at(-1);
    return { items, ...(found.length > limit && last !== undefined ? { nextCursor: last.userId } : {}), ...counts };
  }

  /** @throws NudgeError `not_found`; `invalid_request` for a cursor that this list did not hand out */
  async reactions(query: ReactionsQuery): Promise<ReactionsPage> {
    const { conversationId, seq, emoji, cursor, limit } = query;
    const after = cursor === undefined ? undefined : decodeReactionsCursor(cursor);
    const { confirmed, primary, details } = await this.#admit(query);
    if (seq < confirmed.start || seq > confirmed.standing.state.lastSeq) throw new NudgeError('not_found');
    const found = await details.readReactions({ conversationId, seq, emoji, after, limit: limit + 1 });
    // Asked afterwards: a redaction or an expiry meanwhile takes the reactions along.
    if (isTombstone(await textOf(primary, conversationId, seq))) return { items: [] };
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return { items: page, ...(found.length > limit && last !== undefined ? { nextCursor: encodeReactionsCursor(last) } : {}) };
  }

  /**
   * `{"items":[{"entry","pinnedBy","pinnedAt"}],"mine"}` as JSON text, the newest pin first.
   *
   * @throws NudgeError `not_found`
   */
  async pins(query: DetailsQuery): Promise<string> {
    const { conversationId, userId } = query;
    const { confirmed, primary, details } = await this.#admit(query);
    const pins = (await details.readPins(conversationId)).filter(({ seq }) => seq >= confirmed.start);
    const reacted = pins.flatMap(({ seq, text }) => reactedOf([text], seq, text));
    const [own] = await ownReactions(primary, userId, [{ conversationId, reacted }]);
    const items = pins.map((pin) => encodePin(pin, confirmed.start));
    return `{"items":[${items.join(',')}],"mine":${JSON.stringify(Object.fromEntries(own ?? []))}}`;
  }

  async #admit({ appId, conversationId, userId }: DetailsQuery): Promise<Admitted> {
    const { router, servers, standings } = this.#options;
    const source = router.route(conversationId).pool;
    const confirmed = await standings.confirm(source, appId, { conversationId, userId });
    return { confirmed, primary: source.primary, details: servers.route(conversationId).pool.details };
  }

  /** A count reads every member: equal questions share one, and few run at a time. */
  #sharedCounts(primary: PullStore, details: DetailStore, conversationId: string, seq: number): Promise<ReceiptCounts> {
    const key = `${conversationId}/${seq}`;
    const underway = this.#counting.get(key);
    if (underway !== undefined) return underway;
    const counting = this.#counters
      .pass(() => this.#counts(primary, details, conversationId, seq), new AbortController().signal)
      .finally(() => this.#counting.delete(key));
    this.#counting.set(key, counting);
    return counting;
  }

  async #counts(primary: PullStore, details: DetailStore, conversationId: string, seq: number): Promise<ReceiptCounts> {
    const sender = senderOf(await textOf(primary, conversationId, seq));
    return details.countReceipts(conversationId, seq, sender);
  }
}

function refuseOutside(seq: number, { start, standing }: Confirmed): void {
  if (seq < start || seq > standing.state.lastSeq) throw new NudgeError('not_found');
}

/** The entry, which the log has reached. */
async function textOf(primary: PullStore, conversationId: string, seq: number): Promise<string> {
  const [rows] = await primary.readPages([{ conversationId, kind: 'after', seq: seq - 1, limit: 1, userId: undefined }]);
  const text = rows?.texts[0];
  if (text === undefined) throw new NudgeError('not_found');
  return text;
}

function encodePin({ text, pinnedBy, pinnedAt }: Pin, start: number): string {
  return `{"entry":${masked(text, start)},"pinnedBy":${JSON.stringify(pinnedBy)},"pinnedAt":"${pinnedAt}"}`;
}
