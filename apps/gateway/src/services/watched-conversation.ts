import { type ConversationType, type LogName, type Role, refusedWhile, roleAllows } from '@nudge/types';

/** What a member may do in a conversation, as the primary has it. Times in ms since 1970. */
export interface Standing {
  readonly memberVersion: number;
  /** The conversation's last seq. */
  readonly head: number;
  readonly type: ConversationType;
  readonly role: Role;
  readonly frozen: boolean;
  /** Muted until then; 0 when not. */
  readonly mutedUntil: number;
}

const frozenForMembers = refusedWhile.frozen.includes('type');

/** Whether a member may type and send events of its own: what the table of permissions says of `type`. */
export function mayType({ type, role, frozen, mutedUntil }: Standing, now: number): boolean {
  if (!roleAllows('type', type, role) || mutedUntil > now) return false;
  return !(frozen && frozenForMembers && role === 'member');
}

/** A conversation that sessions of this gateway watch, or are about to. */
export interface WatchedConversation {
  readonly appId: string;
  readonly id: string;
  readonly log: LogName;
  /** Bus topic and room. */
  readonly topic: string;
  /** Settled once its topic is subscribed, or the bus was waited for long enough. */
  readonly opening: Promise<void>;
  /** Sessions that watch it, and questions on their way. */
  holds: number;
  /** Newest seq heard on its topic. */
  heardSeq: number;
  /** Every standing is at least as new as this membership version. */
  memberVersion: number;
  /** Newest membership version heard of. */
  newestVersion: number;
  /** When the primary last confirmed that, ms. */
  verifiedAt: number;
  /** Of the users with a watching session, by user id. */
  readonly standings: Map<string, Standing>;
}
