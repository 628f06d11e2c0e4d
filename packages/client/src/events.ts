import type { Control, CustomEvent, Entry, FeedItem, Head, LogName, Preferences, Presence, Receipt, Typing } from '@nudge/types';
import type { NudgeError } from './errors.ts';
import type { DropReason } from './log-state.ts';
import type { AppEntry, PullReport } from './puller.ts';
import type { Unread } from './unread.ts';
import type { ConversationView } from './view/view.ts';

/** What a client tells those who listen. */
export interface ClientEvents {
  /**
   * The next entry of a conversation: each once, in order, without a gap unless `range` said so. `blocked`: the user blocks its sender.
   * Acting entries come too; what they do to others is `changed`.
   */
  entry: { readonly conversationId: string; readonly entry: Entry; readonly blocked: boolean };
  /** Entries held before, as they now stand: edited, redacted, expired, reacted to, pinned, or quoting one that was. */
  changed: { readonly conversationId: string; readonly entries: readonly Entry[] };
  /** A conversation looks like this now; follows every `entry` (of one page together) and `changed`. */
  view: { readonly conversationId: string; readonly view: ConversationView };
  /** The entries that follow start at `from` and do not join what was held before; `loadBefore` fills the hole. */
  range: { readonly conversationId: string; readonly from: number };
  /** What was held of a log is gone: it was left, or the server's history is another one. */
  dropped: { readonly log: LogName; readonly reason: DropReason };
  /** A conversation of the list, as of the last sync. */
  head: Head;
  /** How many messages wait to be read changed. */
  unread: { readonly conversationId: string } & Unread;
  /** A change in the user's own feed, on all devices. The events below say the same by subject. */
  feed: FeedItem;
  /** The own read position has moved, here or on another device ("read elsewhere"). */
  read: { readonly conversationId: string; readonly readSeq: number };
  preferences: { readonly conversationId: string; readonly preferences: Preferences };
  /** The own membership: role, mute, or that it ended. */
  membership: { readonly conversationId: string; readonly state: Readonly<Record<string, unknown>> };
  block: { readonly userId: string; readonly blocked: boolean };
  /** A notice of the integrator to this user; `null` once dismissed. */
  notice: { readonly noticeId: string; readonly body: Readonly<Record<string, unknown>> | null };
  /** A broadcast to every user of the app. */
  app: AppEntry;
  /** A key arrived. It says how far a log reaches, never what is in it. */
  key: { readonly log: LogName; readonly seq: number };
  /** The server says that keys were lost. */
  resync: object;
  /** A pull was answered. */
  pull: PullReport;
  /** Everything known of is pulled. */
  current: object;
  typing: Typing;
  presence: Presence;
  /** Another member has read or received up to a seq. */
  receipt: Receipt;
  /** The integrator's own event, from another member. */
  event: CustomEvent;
  control: Control;
  connected: { readonly sessionId: string; readonly gatewayId: string; readonly resumed: boolean; readonly url: string };
  disconnected: { readonly error: NudgeError; readonly said: Control | undefined; readonly retryInMs: number };
  /** The server does not want this client back as it is; `connect` tries again. */
  stopped: { readonly error: NudgeError; readonly said: Control | undefined };
  /** Something failed that no promise of the caller's reports: a pull that will be repeated, a listener that threw. */
  error: { readonly error: Error; readonly log: LogName | undefined };
}
