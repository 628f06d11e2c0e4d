import type { ClientPayload } from '@nudge/types';
import type { Session } from '../../services/session.ts';
import type { HandlerContext } from '../handler.ts';

/** Passes the integrator's own event on to who watches the conversation. Not acknowledged: dropped where it may not be or cannot be said. */
export const event = (context: HandlerContext, session: Session, payload: ClientPayload<'event'>): void =>
  context.customEvents.send(session, payload);
