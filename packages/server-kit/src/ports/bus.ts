import type { DisconnectReason, LogName } from '@nudge/types';

/**
 * What travels between processes. `key`: a log has reached a seq (`direct`: push it past the coalescer's gap). `control`: the copies of
 * a conversation's members and entries held elsewhere are out of date. `receipt`: a member has read or received up to a seq; for those who
 * watch the conversation, kept nowhere. `user`: whom this user blocks, is blocked by, or shows its presence to has changed. `kick`: the
 * user's sessions end, those of one device or a single one where that is named. `packet`: an ephemeral event between gateways, one line of
 * text, only on a bus of its own.
 */
export type BusMessage =
  | {
      readonly kind: 'key';
      readonly log: LogName;
      readonly seq: number;
      readonly direct?: true;
      /** Of the send that the key stands for, when that is traced; W3C Trace Context. */
      readonly traceparent?: string;
    }
  | {
      readonly kind: 'control';
      readonly conversationId: string;
      readonly memberVersion: number;
      readonly head: number;
    }
  | {
      readonly kind: 'receipt';
      readonly conversationId: string;
      readonly userId: string;
      readonly readSeq?: number;
      readonly deliveredSeq?: number;
    }
  | { readonly kind: 'user' }
  | { readonly kind: 'kick'; readonly deviceId?: string; readonly sessionId?: string; readonly reason: KickReason }
  | { readonly kind: 'packet'; readonly text: string };

/** Why sessions are ended from elsewhere. */
export type KickReason = Extract<DisconnectReason, 'kicked' | 'token_revoked' | 'session_replaced'>;

/** See {@link KickReason}. */
export const kickReasons = ['kicked', 'token_revoked', 'session_replaced'] as const satisfies readonly KickReason[];

/** A message for one topic. */
export interface Publication {
  readonly topic: string;
  readonly message: BusMessage;
}

/**
 * Carries keys and control messages between processes. Messages are hints: at most once each, in order per topic and publisher. A loss is
 * announced to `onInterruption` listeners, who then ask the database. A listener that throws harms no other listener and no publisher.
 */
export interface Bus extends AsyncDisposable {
  /** Resolves when the bus accepted all of `batch`; rejects when it could not, and then some may have been delivered. */
  publish(batch: readonly Publication[]): Promise<void>;
  /** Resolves when the subscription is in force: what is published from then on is heard. The result ends it. */
  subscribe(topic: string, listener: (message: BusMessage) => void): Promise<() => void>;
  /** Keys may have been lost: resync. The result removes the listener. */
  onInterruption(listener: () => void): () => void;
}

/** Topic of one user: what this user's gateways hear. */
export const userTopic = (appId: string, userId: string): string => `${appId}/u/${userId}`;

/** Topic of one conversation: what those who watch or cache it hear. */
export const conversationTopic = (appId: string, conversationId: string): string => `${appId}/c/${conversationId}`;
