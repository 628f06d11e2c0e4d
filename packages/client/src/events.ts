import type { Control, Entry, FeedItem, Head, LogName, Presence, Typing } from '@nudge/types';
import type { NudgeError } from './errors.ts';
import type { DropReason } from './log-state.ts';
import type { PullReport } from './puller.ts';

/** What a client tells those who listen. */
export interface ClientEvents {
  /** The next entry of a conversation: each once, in order, without a gap unless `range` said so. */
  entry: { readonly conversationId: string; readonly entry: Entry };
  /** The entries that follow start at `from` and do not join what was held before; `loadBefore` fills the hole. */
  range: { readonly conversationId: string; readonly from: number };
  /** What was held of a log is gone: it was left, or the server's history is another one. */
  dropped: { readonly log: LogName; readonly reason: DropReason };
  /** A conversation of the list, as of the last sync. */
  head: Head;
  /** A change in the user's own feed, on all devices. */
  feed: FeedItem;
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
  control: Control;
  connected: { readonly sessionId: string; readonly gatewayId: string; readonly resumed: boolean; readonly url: string };
  disconnected: { readonly error: NudgeError; readonly said: Control | undefined; readonly retryInMs: number };
  /** The server does not want this client back as it is; `connect` tries again. */
  stopped: { readonly error: NudgeError; readonly said: Control | undefined };
  /** Something failed that no promise of the caller's reports: a pull that will be repeated, a listener that threw. */
  error: { readonly error: Error; readonly log: LogName | undefined };
}
