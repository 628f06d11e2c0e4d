import type { Clock } from '@nudge/server-kit';
import { TYPING_TTL_MS } from '@nudge/types';
import type { Relay } from './connection.ts';
import type { GatewayCounts } from './counts.ts';
import { RateWindow } from './rate-window.ts';
import type { Relations } from './relations.ts';
import type { Session } from './session.ts';
import { mayType, type WatchedConversation } from './watched-conversation.ts';
import type { Watches } from './watches.ts';

export interface TypingOptions {
  readonly relay: Relay;
  readonly watches: Watches;
  readonly relations: Relations;
  readonly clock: Clock;
  readonly counts: GatewayCounts;
  /** Events of one session per ten seconds; more are dropped. */
  readonly per10Seconds: number;
}

/**
 * Passes `typing` on to those who watch the conversation: at most once, to no device of the typing user, to nobody between whom and the
 * user stands a block, kept nowhere but for the moment needed to say that it ended when its device vanishes. Who hears nothing further ends
 * it after `ttlMs` by itself.
 */
export class TypingRelay {
  readonly #options: TypingOptions;

  constructor(options: TypingOptions) {
    this.#options = options;
  }

  typing(session: Session, conversationId: string, active: boolean): void {
    const { clock, watches, counts, per10Seconds } = this.#options;
    const now = clock.now();
    const watched = watches.watchedBy(session, conversationId);
    const standing = watched?.standings.get(session.userId);
    session.typings ??= new RateWindow();
    const count = session.typings.count(now);
    if (watched === undefined || standing === undefined || !mayType(standing, now) || count > per10Seconds) {
      counts.typingDropped++;
      return;
    }
    if (active) {
      session.typing ??= new Map();
      session.typing.set(conversationId, now + TYPING_TTL_MS);
    } else session.typing?.delete(conversationId);
    this.#emit(session, watched, active);
  }

  /** The session no longer types in the conversation, whatever it said last. */
  ended(session: Session, watched: WatchedConversation): void {
    const until = session.typing?.get(watched.id);
    if (until === undefined) return;
    session.typing?.delete(watched.id);
    if (until > this.#options.clock.now()) this.#emit(session, watched, false);
  }

  /** The session's connection is gone. */
  allEnded(session: Session): void {
    for (const id of session.typing?.keys() ?? []) {
      const watched = this.#options.watches.watchedBy(session, id);
      if (watched !== undefined) this.ended(session, watched);
    }
    session.typing = undefined;
  }

  #emit(session: Session, watched: WatchedConversation, active: boolean): void {
    const { counts, relations, relay } = this.#options;
    const deaf = session.relation === undefined ? undefined : relations.deafTo(session.relation);
    if (deaf === undefined) {
      counts.typingDropped++;
      return;
    }
    counts.typingRelayed++;
    const event = {
      conversationId: watched.id,
      userId: session.userId,
      active,
      ttlMs: TYPING_TTL_MS,
    };
    relay.emit(watched.topic, 'typing', event, { except: [session.topic, ...deaf] });
  }
}
