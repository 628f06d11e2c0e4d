import type { Head } from '@nudge/types';
import type { HeadRow, UnreadTotals, UserStore } from '../store/user-store.ts';
import { decodeHeadsCursor, encodeHeadsCursor } from './heads-cursor.ts';

/** A page of the own conversations. */
export interface HeadsQuery {
  readonly appId: string;
  readonly userId: string;
  readonly limit: number;
  readonly cursor: string | undefined;
  /** Only those with activity at or after this time. */
  readonly since: string | undefined;
}

/** Newest activity first. Without `nextCursor` there is no more. */
export interface HeadsPage {
  readonly items: Head[];
  readonly nextCursor?: string;
}

/** The list of one's conversations with exact unread counts. */
export class HeadsService {
  readonly #users: UserStore;

  constructor(users: UserStore) {
    this.#users = users;
  }

  /** @throws NudgeError `invalid_request` for a cursor that this list did not hand out */
  async list({ appId, userId, limit, cursor, since }: HeadsQuery): Promise<HeadsPage> {
    const before = cursor === undefined ? undefined : decodeHeadsCursor(cursor);
    const rows = await this.#users.readHeads({
      appId,
      userId,
      since: since === undefined ? undefined : timeFrom1970(since),
      before,
      limit: limit + 1,
    });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const items = page.map(toHead);
    return rows.length > limit && last !== undefined ? { items, nextCursor: encodeHeadsCursor(last) } : { items };
  }

  /** Unread messages and mentions over all conversations. */
  unread(appId: string, userId: string): Promise<UnreadTotals> {
    return this.#users.countUnread(appId, userId);
  }
}

/** PostgreSQL knows no year 0, and nothing happened here before 1970. */
function timeFrom1970(time: string): string {
  return new Date(Math.max(0, Date.parse(time))).toISOString();
}

function toHead(row: HeadRow): Head {
  return {
    id: row.id,
    type: row.type,
    title: row.title,
    avatarUrl: row.avatarUrl,
    frozen: row.frozen,
    lastSeq: row.lastSeq,
    lastEntryAt: row.lastEntryAt,
    readSeq: row.readSeq,
    unread: row.unread,
    mentions: row.mentions,
    memberCount: row.memberCount,
    member: { role: row.role, joinedSeq: row.joinedSeq, hidden: row.hidden },
    lastMessage: row.lastMessage,
    version: row.memberVersion,
  };
}
