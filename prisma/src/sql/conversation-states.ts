import type { Pool } from '../pool.ts';
import type { ConversationState } from '../rows.ts';
import { run, type Statement } from '../statement.ts';
import { stateColumns } from './columns.ts';

/** Index: `conversation_pkey`, one lookup per id. No lock. */
const statement: Statement = {
  name: 'conversation_states',
  text: `select ${stateColumns} from conversation c where c.id = any ($1::uuid[])`,
};

/** The present state of conversations, in no particular order; unknown ids have no row. The caller compares `appId`. */
export function conversationStates(pool: Pool, ids: readonly string[]): Promise<ConversationState[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return run<ConversationState & Record<string, unknown>>(pool, statement, [ids]);
}
