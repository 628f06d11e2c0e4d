export {
  type AppendCall,
  type AppendInput,
  type AppendMode,
  type AppendOp,
  type AppendResult,
  type AppendStatus,
  append,
} from './append.ts';
export {
  type AppKeyInput,
  type AppKeyRow,
  type AppRow,
  createApp,
  insertKey,
  type KeyKind,
  loadApps,
  loadDirectory,
  loadKeys,
  retireKey,
  type SessionPolicyRow,
} from './apps.ts';
export { type DatabaseSource, databaseSource } from './database-source.ts';
export { classify, DatabaseUnavailable, DataError, LockTimeout, sqlStateOf, TransactionConflict } from './errors.ts';
export { type Lease, tryLease } from './lease.ts';
export { describeProgress } from './migrate/describe.ts';
export { MigrationHistoryError } from './migrate/history.ts';
export { type MigrateOptions, type MigrateResult, MigrationFailed, type MigrationProgress, migrate } from './migrate/migrate.ts';
export { createPool, type Pool, type PoolConfig, withClient } from './pool.ts';
export type { ConversationRow, ConversationState, ConversationType, EntryText, History, MemberRow, Role } from './rows.ts';
export { updateAppSettings } from './sql/app-settings.ts';
export { applyFeed, type FeedItem } from './sql/apply-feed.ts';
export { type BanRow, banList } from './sql/ban-list.ts';
export { type BlockChange, type BlockRow, blockedBetween, isBlockedBy, listBlocks, mirrorBlock, setBlock } from './sql/blocks.ts';
export { conversationStates } from './sql/conversation-states.ts';
export { type CreatedConversation, conversationOfUser, createConversation, type NewConversation } from './sql/create-conversation.ts';
export { type EntriesPage, type EntriesRequest, entriesAfter } from './sql/entries-after.ts';
export { entriesBefore } from './sql/entries-before.ts';
export { type EntryVersion, type EntryVersionPage, entryVersions } from './sql/entry-versions.ts';
export { type ClusterIdentity, type IdentityReading, IsStandby, readIdentity, settleEpoch } from './sql/epoch.ts';
export { expireEntries, type TouchedConversation } from './sql/expire-entries.ts';
export { appEntriesAfter, type FeedPage, type FeedRow, feedAfter, joinedConversationIds, joinedCounts } from './sql/feed.ts';
export { type HeadRow, type HeadsQuery, heads, type LastMessage, unreadTotals } from './sql/heads.ts';
export { hideDirect } from './sql/hide-direct.ts';
export { type DeliveredResult, markDelivered } from './sql/mark-delivered.ts';
export { markRead, type ReadInput, type ReadResult } from './sql/mark-read.ts';
export { type MemberList, memberList, memberPage } from './sql/member-list.ts';
export { type MembershipState, membersChangedAt, membershipFeed, type UserOfConversation } from './sql/membership-feed.ts';
export { type MembershipPair, membershipPairs } from './sql/membership-pairs.ts';
export {
  deferOutbox,
  deleteOutbox,
  dueOutbox,
  type OutboxBlock,
  type OutboxHead,
  type OutboxKey,
  type OutboxMember,
  type OutboxRead,
  type OutboxRow,
} from './sql/outbox.ts';
export { type OwnReactions, ownReactions } from './sql/own-reactions.ts';
export { type PinnedEntry, pinnedSeqs } from './sql/pinned-seqs.ts';
export { getUser, type OwnProfile, type PresenceVisibility, type ProfilePatch, presenceVisibility, updateMe } from './sql/profiles.ts';
export { type PullPage, type PullRequest, type PullState, pullPages, pullStates } from './sql/pull-pages.ts';
export { type ReactionRow, reactionPage } from './sql/reaction-page.ts';
export { type ReceiptRow, receiptCounts, receiptPage } from './sql/receipts.ts';
export { retainConversations } from './sql/retain-conversations.ts';
export { banFromApp, type RestrictionRow, restrictions, revokeTokens, tokenCutOff, unbanFromApp } from './sql/revocation.ts';
export {
  cancelScheduled,
  dueScheduled,
  finishScheduled,
  insertScheduled,
  listScheduled,
  type NewScheduled,
  releaseScheduled,
  SCHEDULED_PER_USER,
  type ScheduledKey,
  type ScheduledRow,
  type ScheduleResult,
  type TakenScheduled,
  takeScheduled,
} from './sql/scheduled.ts';
export { recordSessionKick, type SessionKickRow, sessionKicks } from './sql/session-kicks.ts';
export { ensureUser, type UserInput, type UserRow, unknownUsers, upsertUsers, usersByIds } from './sql/users.ts';
