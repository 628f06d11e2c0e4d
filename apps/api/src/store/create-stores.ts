import type { Pool } from '@nudge/db';
import { constantRouter } from '@nudge/server-kit';
import type { ApiStores } from '../api.ts';
import { callFailure } from './call-failure.ts';
import { PostgresConversationStore } from './postgres-conversation-store.ts';
import { PostgresScheduledStore } from './postgres-scheduled-store.ts';
import { PostgresUserStore } from './postgres-user-store.ts';
import { createRestrictionStore } from './restriction-store.ts';

/** The stores of an API whose conversations and users all lie in one PostgreSQL. The pool stays the caller's. */
export function createApiStores(pool: Pool): ApiStores {
  const conversations = new PostgresConversationStore(pool);
  return {
    router: constantRouter(conversations),
    databases: [conversations],
    users: new PostgresUserStore(pool),
    restrictions: createRestrictionStore(pool),
    scheduled: new PostgresScheduledStore(pool),
    classify: callFailure,
    ping: async () => (await pool.query('select 1')).rowCount === 1,
  };
}
