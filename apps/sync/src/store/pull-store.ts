import type { DetailStore } from './detail-store.ts';

/** A conversation as one statement saw it. */
export interface ConversationState {
  readonly appId: string;
  readonly lastSeq: number;
  readonly oldestSeq: number;
  readonly history: 'full' | 'since_join';
  /** Goes up with every change of membership; a membership read at this version holds while the version does. */
  readonly memberVersion: number;
}

/** One user's membership of one conversation. `leftSeq` is set once the user has left. */
export interface Membership {
  readonly joinedSeq: number;
  readonly leftSeq: number | null;
}

/** A user's place in a conversation. */
export interface Pair {
  readonly conversationId: string;
  readonly userId: string;
}

/** A conversation with one user's membership, from one snapshot. `undefined` instead: there is no such conversation. */
export interface Standing {
  readonly state: ConversationState;
  readonly member: Membership | undefined;
}

/** Which entries to read: up to `limit` above `seq`, or the last `limit` below it. */
export interface PageRead {
  readonly conversationId: string;
  readonly kind: 'after' | 'before';
  readonly seq: number;
  readonly limit: number;
  /** Whose membership to read in the same statement. */
  readonly userId: string | undefined;
}

/** What a page read found, all of it from one snapshot. `texts[i]` is the wire JSON of entry `first + i`. */
export interface PageRows extends Standing {
  readonly first: number;
  readonly texts: readonly string[];
}

/** Entries of one conversation whose reactions are asked for. */
export interface ReactedEntries {
  readonly conversationId: string;
  readonly seqs: readonly number[];
}

/** One user's reactions to entries of one conversation, by seq, each in the order of reacting. */
export type OwnReactions = ReadonlyMap<number, readonly string[]>;

/**
 * The statements of the pull side against one database server. Lists are answered in order, by one statement each; `undefined` stands
 * for a conversation that does not exist.
 */
export interface PullStore {
  readPages(reads: readonly PageRead[]): Promise<readonly (PageRows | undefined)[]>;
  readStandings(pairs: readonly Pair[]): Promise<readonly (Standing | undefined)[]>;
  /** One user's reactions by conversation; a conversation in which there are none has no entry. Asked of a primary only. */
  readOwnReactions(userId: string, entries: readonly ReactedEntries[]): Promise<ReadonlyMap<string, OwnReactions>>;
}

/** The database servers that hold a conversation: the primary, and replicas that may serve page rows. `details` asks the primary. */
export interface ConversationServers {
  readonly primary: PullStore;
  readonly replicas: readonly PullStore[];
  readonly details: DetailStore;
}
