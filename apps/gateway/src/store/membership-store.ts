import { blockedBetween, conversationStates, membershipPairs, type Pool, presenceVisibility } from '@nudge/db';
import type { MemberOf, MembershipSource, UserOf, UserRelations } from '../services/membership.ts';
import type { Standing } from '../services/watched-conversation.ts';

/** Membership read from the primary. A former member and one who is banned from the conversation have no standing, like a stranger. */
export function createMembershipStore(primary: Pool): MembershipSource {
  return {
    async standings(pairs) {
      const found = new Map<string, Standing>();
      for (const row of await membershipPairs(primary, pairs)) {
        if (row.leftSeq !== null || row.banned) continue;
        const { memberVersion, lastSeq: head, type, role } = row;
        found.set(key({ appId: row.appId, conversationId: row.id, userId: row.userId }), {
          memberVersion,
          head,
          type,
          role,
          frozen: row.frozenAt !== null,
          mutedUntil: until(row.mutedUntil),
        });
      }
      return pairs.map((pair) => found.get(key(pair)));
    },
    async versions(conversationIds) {
      const states = await conversationStates(primary, conversationIds);
      return new Map(states.map((state) => [state.id, state.memberVersion]));
    },
    async relations(users) {
      const found = new Map<string, ReadonlyMap<string, UserRelations>>();
      // One app after the other: a storm of connects of many apps takes two connections of the pool and not all.
      for (const [appId, ids] of byApp(users)) found.set(appId, await relationsOf(primary, appId, ids));
      return users.map(({ appId, userId }) => found.get(appId)?.get(userId) ?? unrelated);
    },
  };
}

const unrelated: UserRelations = { related: [], hidden: false };

async function relationsOf(primary: Pool, appId: string, ids: readonly string[]): Promise<ReadonlyMap<string, UserRelations>> {
  const [blocks, visibilities] = await Promise.all([blockedBetween(primary, appId, ids), presenceVisibility(primary, appId, ids)]);
  const found = new Map<string, UserRelations>();
  for (const id of ids) {
    const related = blocks.get(id) ?? unrelated.related;
    found.set(id, { related, hidden: visibilities.get(id) === 'nobody' });
  }
  return found;
}

function byApp(users: readonly UserOf[]): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const { appId, userId } of users) {
    const present = ids.get(appId);
    if (present === undefined) ids.set(appId, [userId]);
    else present.push(userId);
  }
  return ids;
}

const key = ({ appId, conversationId, userId }: MemberOf): string => `${appId}/${conversationId}/${userId}`;

const until = (time: string | null): number => (time === null ? 0 : Date.parse(time));
