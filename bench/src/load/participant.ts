/** One message as a participant got it in hand. */
export interface Delivery {
  readonly groupIndex: number;
  readonly id: string;
  readonly text: string;
  /** Position in the group, where the server gives one. */
  readonly seq: number | undefined;
}

/** Where a participant connects and as whom. */
export interface Place {
  readonly port: number;
  readonly userId: string;
  readonly token: string;
  /** Indices into the run's groups, and their conversation ids. */
  readonly groups: readonly { readonly index: number; readonly conversationId: string }[];
  readonly from: string;
}

/** A connected device of a load run, of whatever system. Errors are collected, never thrown from a callback. */
export interface Participant {
  readonly errors: string[];
  /** Resolves when the server has accepted the message (durable systems: stored it). */
  send(groupIndex: number, id: string, text: string): Promise<void>;
  close(): void;
}

/** Connects a participant; resolves when it would hear a message sent from now on. */
export type Connect = (place: Place, delivered: (delivery: Delivery) => void) => Promise<Participant>;
