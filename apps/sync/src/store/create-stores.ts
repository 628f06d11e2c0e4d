import {
  appEntriesAfter,
  conversationStates,
  feedAfter,
  heads,
  joinedConversationIds,
  ownReactions,
  type Pool,
  type PullState,
  pinnedSeqs,
  pullPages,
  pullStates,
  reactionPage,
  receiptCounts,
  receiptPage,
  unreadTotals,
} from '@nudge/db';
import { constantRouter } from '@nudge/server-kit';
import type { DetailStore } from './detail-store.ts';
import type { PageRows, PullStore, Standing } from './pull-store.ts';
import type { SyncStores } from './sync-stores.ts';
import type { UserStore } from './user-store.ts';

/** An id that no conversation has: asking for it shows that the database answers. */
const NOBODYS = '00000000-0000-7000-8000-000000000000';

/** The databases of one primary. Replicas serve page rows only. */
export interface SyncPools {
  readonly primary: Pool;
  readonly replicas?: readonly Pool[];
}

/** The stores of a pull side whose conversations all live on one primary. */
export function createSyncStores({ primary, replicas = [] }: SyncPools): SyncStores {
  return {
    router: constantRouter({ primary: pullStore(primary), replicas: replicas.map(pullStore), details: detailStore(primary) }),
    users: userStore(primary),
    ping: async () => (await conversationStates(primary, [NOBODYS])).length === 0,
  };
}

function pullStore(pool: Pool): PullStore {
  return {
    async readPages(reads) {
      const pages = await pullPages(
        pool,
        reads.map(({ conversationId, kind, seq, limit, userId = null }) =>
          kind === 'after'
            ? { conversationId, after: seq, before: null, limit, userId }
            : { conversationId, after: 0, before: seq, limit, userId },
        ),
      );
      return pages.map((page, index): PageRows | undefined => {
        const read = reads[index];
        if (page === undefined || read === undefined) return undefined;
        const { rows, ...state } = page;
        const empty = read.kind === 'after' ? read.seq + 1 : Math.max(1, Math.min(read.seq, state.lastSeq + 1));
        return { ...standingOf(state), first: rows[0]?.seq ?? empty, texts: rows.map(({ text }) => text) };
      });
    },
    async readStandings(pairs) {
      const states = await pullStates(pool, pairs);
      return states.map((state) => state && standingOf(state));
    },
    async readOwnReactions(userId, entries) {
      const found = new Map<string, Map<number, readonly string[]>>();
      for (const { conversationId, seq, emojis } of await ownReactions(pool, userId, entries)) {
        const own = found.get(conversationId) ?? new Map<number, readonly string[]>();
        found.set(conversationId, own.set(seq, emojis));
      }
      return found;
    },
  };
}

function detailStore(pool: Pool): DetailStore {
  return {
    readReceipts: (conversationId, after, limit, seq) => receiptPage(pool, conversationId, after ?? null, limit, seq),
    countReceipts: (conversationId, seq, exceptUserId) => receiptCounts(pool, conversationId, seq, exceptUserId),
    readReactions: ({ conversationId, seq, emoji = null, after = null, limit }) =>
      reactionPage(pool, conversationId, seq, emoji, after, limit),
    async readPins(conversationId) {
      const pins = await pinnedSeqs(pool, conversationId);
      return pins.map(({ createdAt, ...pin }) => ({ ...pin, pinnedAt: createdAt }));
    },
  };
}

function standingOf({ appId, lastSeq, oldestSeq, history, memberVersion, joinedSeq, leftSeq }: PullState): Standing {
  return {
    state: { appId, lastSeq, oldestSeq, history, memberVersion },
    member: joinedSeq === null ? undefined : { joinedSeq, leftSeq },
  };
}

function userStore(pool: Pool): UserStore {
  return {
    readFeed: (appId, userId, after, limit) => feedAfter(pool, appId, userId, after, limit),
    async readAppLog(appId, after, limit) {
      const { lastSeq, rows, more } = await appEntriesAfter(pool, appId, after, limit);
      return { head: lastSeq, entries: rows.map(({ text }) => text), more };
    },
    async readHeads({ appId, userId, since = null, before = null, limit }) {
      const ids = await joinedConversationIds(pool, appId, userId);
      return heads(pool, { appId, userId, ids, since, before, limit });
    },
    async countUnread(appId, userId) {
      const ids = await joinedConversationIds(pool, appId, userId);
      return unreadTotals(pool, { appId, userId, ids });
    },
  };
}
