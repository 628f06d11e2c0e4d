import type { Router } from '@nudge/server-kit';
import type { ConversationServers } from './pull-store.ts';
import type { UserStore } from './user-store.ts';

/** The databases as the pull side sees them. */
export interface SyncStores {
  /** Which database holds a conversation. */
  readonly router: Router<ConversationServers>;
  readonly users: UserStore;
  /** Whether the primary answers. */
  readonly ping: () => Promise<boolean>;
}
