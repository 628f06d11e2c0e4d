import type { Pool } from '../pool.ts';
import type { Role } from '../rows.ts';
import { run, type Statement } from '../statement.ts';

export interface UserOfConversation {
  readonly appId: string;
  readonly conversationId: string;
  readonly userId: string;
}

/** A membership as the user's feed shows it: absolute, ordered by `srcVersion`. */
export interface MembershipState extends UserOfConversation {
  readonly role: Role;
  readonly state: 'joined' | 'left';
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
  readonly srcVersion: number;
  readonly readSeq: number;
  readonly hiddenSeq: number | null;
  /** Orders the states of `hiddenSeq`; a mirror merges `{hiddenSeq, hideVersion}` into the preferences, and the highest wins. */
  readonly hideVersion: number;
  /** Null unless in the future. */
  readonly mutedUntil: string | null;
}

/** What happens to a membership after its end, a ban or its lifting, is not for its feed: that stays at the leaving. */
const columns = `m.app_id as "appId", m.conversation_id as "conversationId", m.user_id as "userId", m.role,
  case when m.left_seq is null then 'joined' else 'left' end as state, m.joined_seq as "joinedSeq", m.left_seq as "leftSeq",
  coalesce(m.left_seq, m.changed_seq) as "srcVersion", m.read_seq as "readSeq", m.hidden_seq as "hiddenSeq",
  m.hide_version as "hideVersion", case when m.muted_until > now() then rfc3339(m.muted_until) end as "mutedUntil"`;

/**
 * Index: `member_pkey`, one lookup per pair. Who was banned without ever having been a member (joined_seq 0) learns nothing of the
 * conversation. No lock: a newer change has a higher src_version and an outbox row of its own.
 */
const ofPairs: Statement = {
  name: 'membership_feed',
  text: `select ${columns}
    from unnest($1::text[], $2::uuid[], $3::text[]) u (app, conv, usr)
    cross join lateral (select * from member m where m.conversation_id = u.conv and m.user_id = u.usr and m.app_id = u.app and m.joined_seq > 0 offset 0) m`,
};

/** Index: `member_pkey`, a range of one conversation after the key; the filter on changed_seq discards who changed since. */
const changedAt: Statement = {
  name: 'members_changed_at',
  text: `select ${columns} from member m
    where m.conversation_id = $1 and m.user_id > $3 and m.changed_seq = $2 order by m.user_id limit $4`,
};

/** The present state per pair; a pair that never was a member has no row. In no particular order. */
export function membershipFeed(pool: Pool, pairs: readonly UserOfConversation[]): Promise<MembershipState[]> {
  if (pairs.length === 0) return Promise.resolve([]);
  return run<MembershipState & Record<string, unknown>>(pool, ofPairs, [
    pairs.map((pair) => pair.appId),
    pairs.map((pair) => pair.conversationId),
    pairs.map((pair) => pair.userId),
  ]);
}

/**
 * Members whose last change is the entry `seq` (the first members: seq 1), ascending by user id after `afterUserId` ('' = from the
 * start), at most `limit`.
 */
export function membersChangedAt(
  pool: Pool,
  conversationId: string,
  seq: number,
  afterUserId: string,
  limit: number,
): Promise<MembershipState[]> {
  return run<MembershipState & Record<string, unknown>>(pool, changedAt, [conversationId, seq, afterUserId, limit]);
}
