import { SYSTEM_SENDER } from '@nudge/types';
import type { AppendMode } from '../../store/conversation-store.ts';

/** Who acts, and where. */
export interface Actor {
  readonly appId: string;
  /** `$system` for the integrator's server. */
  readonly userId: string;
  readonly conversationId: string;
  /** Default `interactive`: judged as a member. */
  readonly mode?: AppendMode;
}

/** The integrator's server: no member, allowed everything that the form of the conversation allows. */
export function serverActor(appId: string, conversationId: string): Actor {
  return { appId, conversationId, userId: SYSTEM_SENDER, mode: 'admin' };
}
