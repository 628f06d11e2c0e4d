import type { ClientPayload } from '@nudge/types';
import type { Session } from '../../services/session.ts';
import type { HandlerContext } from '../handler.ts';

/** Tells who watches the conversation that this user types, or no longer does. Not acknowledged: dropped where it may not be or cannot be said. */
export const typing = (context: HandlerContext, session: Session, { conversationId, active }: ClientPayload<'typing'>): void =>
  context.typing.typing(session, conversationId, active);
