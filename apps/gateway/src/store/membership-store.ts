import { conversationStates, membershipPairs, type Pool } from '@nudge/db';
import type { Router } from '@nudge/server-kit';
import type { MemberOf, MembershipSource } from '../services/membership.ts';
import type { Standing } from '../services/watched-conversation.ts';

/**
 * Membership read from the primary of each conversation. A former member and one who is banned from the conversation have no standing, like
 * a stranger. One statement per database that holds any of the conversations asked for.
 */
export function createMembershipStore(router: Router<Pool>): MembershipSource {
  return {
    async standings(pairs) {
      const found = new Map<string, Standing>();
      const now = Date.now();
      await Promise.all(
        byPool(router, pairs, (pair) => pair.conversationId).map(async ([pool, asked]) => {
          for (const row of await membershipPairs(pool, asked)) {
            if (row.leftSeq !== null || until(row.bannedUntil) > now) continue;
            found.set(key({ appId: row.appId, conversationId: row.id, userId: row.userId }), {
              memberVersion: row.memberVersion,
              head: row.lastSeq,
              frozen: false,
              silencedUntil: until(row.mutedUntil),
            });
          }
        }),
      );
      return pairs.map((pair) => found.get(key(pair)));
    },
    async versions(conversationIds) {
      const versions = new Map<string, number>();
      await Promise.all(
        byPool(router, conversationIds, (id) => id).map(async ([pool, ids]) => {
          for (const row of await conversationStates(pool, ids)) versions.set(row.id, row.memberVersion);
        }),
      );
      return versions;
    },
  };
}

const key = ({ appId, conversationId, userId }: MemberOf): string => `${appId}/${conversationId}/${userId}`;

const until = (time: string | null): number => (time === null ? 0 : Date.parse(time));

function byPool<Item>(router: Router<Pool>, items: readonly Item[], conversationOf: (item: Item) => string): [Pool, Item[]][] {
  const groups = new Map<Pool, Item[]>();
  for (const item of items) {
    const { pool } = router.route(conversationOf(item));
    const group = groups.get(pool);
    if (group === undefined) groups.set(pool, [item]);
    else group.push(item);
  }
  return [...groups];
}
