import type { Admission, Revocations, TokenVerifier } from '@nudge/server-kit';
import type { Ack, AckedEventName, ClientPayload } from '@nudge/types';
import type { CustomEvents } from '../services/custom-events.ts';
import type { PresenceService } from '../services/presence.ts';
import type { Relations } from '../services/relations.ts';
import type { Session } from '../services/session.ts';
import type { Sessions } from '../services/sessions.ts';
import type { TypingRelay } from '../services/typing.ts';
import type { Watches } from '../services/watches.ts';

/** What the handlers of events work with. */
export interface HandlerContext {
  readonly sessions: Sessions;
  readonly watches: Watches;
  readonly relations: Relations;
  readonly typing: TypingRelay;
  readonly customEvents: CustomEvents;
  readonly presence: PresenceService;
  readonly tokens: TokenVerifier;
  readonly revocations: Revocations;
  readonly admit: Admission;
}

/** The successful answer to an event. */
export type Success<Name extends AckedEventName> = Extract<Ack<Name>, { ok: true }>;

/** Handles one acknowledged event whose payload has been validated; refuses by throwing a `NudgeError`. */
export type Handler<Name extends AckedEventName> = (
  context: HandlerContext,
  session: Session,
  payload: ClientPayload<Name>,
) => Success<Name> | Promise<Success<Name>>;
