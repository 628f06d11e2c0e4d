import type { Logger } from '@nudge/server-kit';
import type { MemberPair } from '../../store/conversation-store.ts';
import type { BlockMirror, BlockPair } from '../blocks/block-mirror.ts';
import type { Failpoints } from '../failpoints.ts';
import type { FeedWriter, ReadPosition } from '../feed/feed-writer.ts';
import type { FeedChange, HeadChange, Publisher, StaleCopies } from '../publisher/publisher.ts';
import type { OutboxCleaner, OutboxKey } from './outbox-cleaner.ts';

/** What follows from a committed call: logs to announce, feeds to write and to announce. An outbox row stands for it until it is done. */
export interface Effects {
  readonly heads: readonly HeadChange[];
  /** Users whose own membership changed. */
  readonly members?: readonly MemberPair[];
  /** A conversation whose first members are to learn of it. */
  readonly firstMembersOf?: string;
  readonly reads?: readonly ReadPosition[];
  /** Users who hid a direct conversation, or see it again. */
  readonly hidden?: readonly MemberPair[];
  /** Users who blocked another, or took it back. */
  readonly blocks?: readonly BlockPair[];
  /** Conversations of which content was taken away without an entry; they stand alone, without heads. */
  readonly copies?: readonly StaleCopies[];
}

/** Both ends of performing effects. `applied`: the feeds have been written. `done`: everything has been announced as well. */
export interface Performance {
  readonly applied: Promise<void>;
  readonly done: Promise<void>;
}

export interface EffectRunnerOptions {
  readonly publisher: Publisher;
  readonly feeds: FeedWriter;
  readonly blocks: BlockMirror;
  readonly cleaner: OutboxCleaner;
  readonly failpoints: Failpoints;
  readonly log: Pick<Logger, 'warn'>;
}

/** Performs effects: at once after the commit, or later for a row that a crash left behind. */
export class EffectRunner {
  readonly #options: EffectRunnerOptions;
  readonly #open = new Set<Promise<void>>();
  readonly #soon = new Set<Promise<void>>();

  constructor(options: EffectRunnerOptions) {
    this.#options = options;
  }

  /**
   * Performs the effects of a call that has just committed and has its outbox row deleted after the last of them. Resolves when the
   * feeds have been written. Never rejects: what fails here is in the row, and the sweeper does it again.
   */
  settle(row: OutboxKey, effects: Effects): Promise<void> {
    const { cleaner, failpoints, log } = this.#options;
    failpoints.hit('before-publish');
    const { applied, done } = this.perform(effects);
    const settled = done.then(
      () => cleaner.done(row),
      (error: unknown) => log.warn({ err: error, conversationId: row.conversationId }, 'an outbox row stays for the sweeper'),
    );
    this.#open.add(settled);
    void settled.then(() => this.#open.delete(settled));
    return applied.catch((error: unknown) =>
      log.warn({ err: error, conversationId: row.conversationId }, 'feeds were not written in time'),
    );
  }

  /**
   * Like {@link settle}, once what is being answered now has been written: a sender whose answer is on its way before its own key has no
   * need to pull its own message.
   */
  settleAfterAnswers(row: OutboxKey, effects: Effects): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#soon.add(promise);
    setImmediate(() => {
      this.#soon.delete(promise);
      void this.settle(row, effects);
      resolve();
    });
  }

  /** Resolves when everything that was to be settled after answers has begun. */
  async begun(): Promise<void> {
    await Promise.all([...this.#soon]);
  }

  /** Performs the effects; both promises reject when something could not be done. Doing it twice does no harm. */
  perform(effects: Effects): Performance {
    const { publisher, feeds, blocks } = this.#options;
    const announced = effects.copies === undefined ? publisher.announce(effects.heads) : publisher.dropCopies(effects.copies);
    const writes: Promise<FeedChange[]>[] = [];
    if (effects.members !== undefined && effects.members.length > 0) writes.push(feeds.members(effects.members));
    if (effects.firstMembersOf !== undefined) writes.push(this.#firstMembers(effects, effects.firstMembersOf));
    if (effects.blocks !== undefined && effects.blocks.length > 0) writes.push(blocks.changed(effects.blocks));
    if (effects.reads !== undefined && effects.reads.length > 0) writes.push(feeds.reads(effects.reads));
    if (effects.hidden !== undefined && effects.hidden.length > 0) writes.push(feeds.hidden(effects.hidden));
    if (writes.length === 0) return { applied: Promise.resolve(), done: announced };
    const written = Promise.all(writes);
    const told = written.then((changes) => publisher.announceFeeds(changes.flat()));
    return { applied: written.then(() => undefined), done: Promise.all([announced, told]).then(() => undefined) };
  }

  /** Whoever created it may have died before it brought the new conversation in line with the blocks. */
  async #firstMembers({ heads }: Effects, conversationId: string): Promise<FeedChange[]> {
    const { blocks, feeds } = this.#options;
    const created = heads.find((head) => head.conversationId === conversationId);
    if (created !== undefined) await blocks.created(created.appId, conversationId);
    return feeds.firstMembers(conversationId);
  }

  /** Resolves when everything begun has been done or has failed. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await Promise.all([...this.#open]);
  }
}
