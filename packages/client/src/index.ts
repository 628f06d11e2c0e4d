export { type Backoff, backoffMs } from './backoff.ts';
export type { Answer, ChangeAnswer, Fields, ListOptions } from './calls/caller.ts';
export type { EditOptions } from './calls/messages.ts';
export { NudgeClient } from './client.ts';
export type { Clock } from './clock.ts';
export type { FixedGateways } from './endpoints.ts';
export { type LocalErrorCode, NudgeError } from './errors.ts';
export type { ClientEvents } from './events.ts';
export type { WatchAnswer } from './interests.ts';
export { stepLog } from './log-machine.ts';
export {
  cursorOf,
  type DropReason,
  initialLog,
  type LogEffect,
  type LogEvent,
  type LogKind,
  type LogPhase,
  type LogState,
  type LogStep,
  type Positioned,
  type Violation,
} from './log-state.ts';
export { type ClientOptions, defaultTuning, type Logger, type Tuning } from './options.ts';
export type { AppEntry, PullReport } from './puller.ts';
export type { ReadPosition } from './read-marks.ts';
export type { MessageOptions, ScheduleAnswer, SendAnswer, SendOptions } from './send.ts';
export { socketIoTransport } from './socket-io-transport.ts';
export { MemoryStorage, type Storage, type StoredState } from './storage.ts';
export {
  FULL_SYNC_EVERY_MS,
  initialSync,
  type ListedHead,
  type SyncEffect,
  type SyncEvent,
  type SyncState,
  type SyncStep,
  stepSync,
} from './sync-machine.ts';
export type { GetToken } from './tokens.ts';
export type { Connection, ConnectionHandlers, ConnectRequest, Transport } from './transport.ts';
export type { Unread } from './unread.ts';
export type { ConversationState } from './view/conversation-state.ts';
export { excerptOf } from './view/excerpt.ts';
export { applyConversation, applyEntry, applyPage, expire, mergeHistory, nextExpiry, viewOf, visibleFrom } from './view/fold.ts';
export { foldEntry, isActing, tombstone } from './view/fold-entry.ts';
export { foldMembers, type ViewMember, type ViewMembers } from './view/members.ts';
export { type ConversationView, emptyView, entryAt, firstSeq, type Mine, pinnedIn, trimView, type ViewPage } from './view/view.ts';
