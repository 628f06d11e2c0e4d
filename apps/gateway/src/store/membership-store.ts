import { conversationStates, membershipPairs, type Pool } from '@nudge/db';
import type { MemberOf, MembershipSource } from '../services/membership.ts';
import type { Standing } from '../services/watched-conversation.ts';

/** Membership read from the primary. A former member and one who is banned from the conversation have no standing, like a stranger. */
export function createMembershipStore(primary: Pool): MembershipSource {
  return {
    async standings(pairs) {
      const now = Date.now();
      const found = new Map<string, Standing>();
      for (const row of await membershipPairs(primary, pairs)) {
        if (row.leftSeq !== null || until(row.bannedUntil) > now) continue;
        const { memberVersion, lastSeq: head } = row;
        found.set(key({ appId: row.appId, conversationId: row.id, userId: row.userId }), {
          memberVersion,
          head,
          frozen: row.frozenAt !== null,
          silencedUntil: until(row.mutedUntil),
        });
      }
      return pairs.map((pair) => found.get(key(pair)));
    },
    async versions(conversationIds) {
      const states = await conversationStates(primary, conversationIds);
      return new Map(states.map((state) => [state.id, state.memberVersion]));
    },
  };
}

const key = ({ appId, conversationId, userId }: MemberOf): string => `${appId}/${conversationId}/${userId}`;

const until = (time: string | null): number => (time === null ? 0 : Date.parse(time));
