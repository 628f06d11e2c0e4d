import type { Clock } from '@nudge/server-kit';
import type { ClientPayload } from '@nudge/types';
import type { Relay } from './connection.ts';
import type { GatewayCounts } from './counts.ts';
import { RateWindow } from './rate-window.ts';
import type { Relations } from './relations.ts';
import type { Session } from './session.ts';
import { mayType } from './watched-conversation.ts';
import type { Watches } from './watches.ts';

export interface CustomEventOptions {
  readonly relay: Relay;
  readonly watches: Watches;
  readonly relations: Relations;
  readonly clock: Clock;
  readonly counts: GatewayCounts;
  /** Events of one session per ten seconds; more are dropped. */
  readonly per10Seconds: number;
}

/**
 * Passes the integrator's own events on to those who watch the conversation: at most once, whole, kept nowhere, under the rules of typing.
 *
 * Unlike typing they reach the sender's other devices. Typing says something about the user, who knows; what a custom event says is the
 * integrator's matter (a shared cursor, a call that rings), and one device may well have to tell another. Only the session that sent it
 * hears no echo, as with the broadcast of a socket. In a direct conversation with a block between the two, nobody else is left to hear.
 */
export class CustomEvents {
  readonly #options: CustomEventOptions;

  constructor(options: CustomEventOptions) {
    this.#options = options;
  }

  send(session: Session, { conversationId, name, payload }: ClientPayload<'event'>): void {
    const { clock, watches, relations, relay, counts, per10Seconds } = this.#options;
    const now = clock.now();
    const watched = watches.watchedBy(session, conversationId);
    const standing = watched?.standings.get(session.userId);
    session.customs ??= new RateWindow();
    const tooMany = session.customs.count(now) > per10Seconds;
    const deaf = session.relation === undefined ? undefined : relations.deafTo(session.relation);
    if (tooMany || watched === undefined || standing === undefined || deaf === undefined || !mayType(standing, now)) {
      counts.customsDropped++;
      return;
    }
    counts.customsRelayed++;
    // Also after a resume, when the connection is another.
    session.connection?.join(session.id);
    relay.emit(
      watched.topic,
      'event',
      { conversationId: watched.id, userId: session.userId, name, payload },
      { except: [session.id, ...deaf] },
    );
  }
}
