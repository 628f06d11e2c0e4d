/** What a gateway counts. Plain numbers, since they stand on the hot path; metrics read them when scraped. */
export class GatewayCounts {
  /** Keys offered to sessions by the bus. */
  keysOffered = 0;
  /** Keys not sent because the session had been sent them, or a newer one, already. */
  keysKnown = 0;
  /** Keys that left for a socket. */
  keysSent = 0;
  /** Frames they left in. */
  framesSent = 0;
  /** Boxes that collapsed into a resync because of their bound. */
  collapsed = 0;
  /** Resyncs that left for a socket. */
  resyncsSent = 0;
  /** Flushes that found the socket not writable. */
  blocked = 0;
  welcomed = 0;
  resumed = 0;
  typingRelayed = 0;
  typingDropped = 0;
  customsRelayed = 0;
  customsDropped = 0;
  receiptsRelayed = 0;
  /** Ephemeral events handed to the other gateways, not taken for them, and heard of them. */
  packetsSent = 0;
  packetsDropped = 0;
  packetsHeard = 0;
  readonly #onRefused: (code: string) => void;
  readonly #onDisconnected: (reason: string) => void;

  /** What happens seldom is counted by label, where the caller wants it. */
  constructor(
    labelled: {
      readonly onRefused?: (code: string) => void;
      readonly onDisconnected?: (reason: string) => void;
    } = {},
  ) {
    this.#onRefused = labelled.onRefused ?? ignore;
    this.#onDisconnected = labelled.onDisconnected ?? ignore;
  }

  /** A handshake refused with a code, or an upgrade with `http_<status>`. */
  countRefused(code: string): void {
    this.#onRefused(code);
  }

  /** A connection ended by the server. */
  countDisconnected(reason: string): void {
    this.#onDisconnected(reason);
  }
}

function ignore(): void {
  // Nobody counts.
}
