import type { Pool } from '../pool.ts';
import type { ConversationRow, ConversationState, MemberRow } from '../rows.ts';
import { run, type Statement } from '../statement.ts';
import { memberColumns, stateColumns } from './columns.ts';
import type { UserOfConversation } from './membership-feed.ts';

/** A conversation's state and one user's membership, from one snapshot. */
export type MembershipPair = ConversationState & Pick<ConversationRow, 'frozenAt'> & MemberRow;

/** Index: `conversation_pkey` and `member_pkey`, one lookup each per pair. No lock. */
const statement: Statement = {
  name: 'membership_pairs',
  text: `select ${stateColumns}, rfc3339(c.frozen_at) as "frozenAt", ${memberColumns}
    from unnest($1::text[], $2::uuid[], $3::text[]) u (app, conv, usr)
    cross join lateral (select * from conversation c where c.id = u.conv and c.app_id = u.app offset 0) c
    cross join lateral (select * from member m where m.conversation_id = u.conv and m.user_id = u.usr offset 0) m`,
};

/**
 * Who may see what: one row per pair whose user is or was a member, in no particular order. A pair without a row is `not_found`,
 * another app's conversation included.
 */
export function membershipPairs(pool: Pool, pairs: readonly UserOfConversation[]): Promise<MembershipPair[]> {
  if (pairs.length === 0) return Promise.resolve([]);
  return run<MembershipPair & Record<string, unknown>>(pool, statement, [
    pairs.map((pair) => pair.appId),
    pairs.map((pair) => pair.conversationId),
    pairs.map((pair) => pair.userId),
  ]);
}
