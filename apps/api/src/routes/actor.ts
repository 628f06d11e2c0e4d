import type { Identity } from '@nudge/server-kit';
import type { Actor } from '../services/conversations/actor.ts';

/** Who has sent the request, as one who acts in a conversation. */
export const actorOf = ({ appId, userId }: Identity, { conversationId }: { readonly conversationId: string }): Actor => ({
  appId,
  userId,
  conversationId,
});
