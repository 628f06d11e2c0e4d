import type { Standing } from './watched-conversation.ts';

/** A user of an app. */
export interface UserOf {
  readonly appId: string;
  readonly userId: string;
}

/** A user in a conversation of an app. */
export interface MemberOf extends UserOf {
  readonly conversationId: string;
}

/** What stands between a user and the others. */
export interface UserRelations {
  /** Whom it blocks and who blocks it. */
  readonly related: readonly string[];
  /** Whether it shows its presence to nobody. */
  readonly hidden: boolean;
}

/** Membership, blocks and privacy as the primary has them. */
export interface MembershipSource {
  /** One answer per pair, in order; `undefined` for whoever is no present member (or in another app's conversation). */
  standings(pairs: readonly MemberOf[]): Promise<readonly (Standing | undefined)[]>;
  /** Membership versions of the conversations that exist, in one statement. */
  versions(conversationIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** One answer per user, in order. */
  relations(users: readonly UserOf[]): Promise<readonly UserRelations[]>;
}
