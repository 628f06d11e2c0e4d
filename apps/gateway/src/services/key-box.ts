import type { LogKey, LogName } from '@nudge/types';

/** What is to be pushed: the newest seq of each log. `resync` stands for keys that were lost or collapsed. */
export interface Notice {
  readonly keys: readonly LogKey[];
  readonly resync: boolean;
}

/**
 * The keys of one session: those not pushed yet (`pending`) and those pushed but not known to have arrived (`sent`). A log costs one
 * slot, however often it moves; above the bound the slots collapse into one flag, so a session that never reads costs no more than that.
 *
 * Confirmation works in two generations. An answered ping proves the arrival of what was pushed before that ping was sent, hence at the
 * latest of what was pushed before the previous answer. Keeping a key one answer too long is harmless: a key twice is a key once.
 */
export class KeyBox {
  #pending: Map<LogName, number> | undefined;
  #resync = false;
  /** Pushed since the last answered ping, and between that one and the answer before. */
  #sent: Map<LogName, number> | undefined;
  #sentEarlier: Map<LogName, number> | undefined;
  /** Answers still to come until a pushed resync counts as arrived. */
  #resyncUnconfirmed = 0;

  /** Whether nothing waits to be pushed. */
  get isEmpty(): boolean {
    return this.#pending === undefined && !this.#resync;
  }

  /** Logs waiting, a resync counted as one. */
  get pendingCount(): number {
    return (this.#pending?.size ?? 0) + (this.#resync ? 1 : 0);
  }

  get unconfirmedCount(): number {
    return (this.#sent?.size ?? 0) + (this.#sentEarlier?.size ?? 0) + (this.#resyncUnconfirmed > 0 ? 1 : 0);
  }

  /** Whether a key at least as new was pushed on the present connection and its record is still kept. */
  knows(log: LogName, seq: number): boolean {
    return (this.#sent?.get(log) ?? -1) >= seq || (this.#sentEarlier?.get(log) ?? -1) >= seq;
  }

  /** Remembers a key to push. Answers false when that collapsed the box into a resync. */
  add(log: LogName, seq: number, bound: number): boolean {
    // A resync makes the client ask for everything, this key included: what is pulled after the push cannot be older than it.
    if (this.#resync) return true;
    if (this.#pending === undefined) {
      this.#pending = new Map([[log, seq]]);
      return true;
    }
    const present = this.#pending.get(log);
    if (present !== undefined) {
      if (seq > present) this.#pending.set(log, seq);
      return true;
    }
    if (this.#pending.size >= bound) {
      this.requireResync();
      return false;
    }
    this.#pending.set(log, seq);
    return true;
  }

  /** Replaces all waiting keys by a resync. */
  requireResync(): void {
    this.#pending = undefined;
    this.#resync = true;
  }

  /** Records a key that was pushed without waiting. */
  recordSent(log: LogName, seq: number, bound: number): void {
    this.#sent ??= new Map();
    const sent = this.#sent;
    const present = sent.get(log);
    if (present !== undefined && present >= seq) return;
    if (present === undefined && sent.size + (this.#sentEarlier?.size ?? 0) >= bound) {
      this.#sent = undefined;
      this.#sentEarlier = undefined;
      this.#resyncUnconfirmed = 2;
      return;
    }
    sent.set(log, seq);
  }

  /** Empties the pending side into one notice, and counts it as pushed. */
  take(bound: number): Notice {
    if (this.#resync) {
      this.#resync = false;
      this.#pending = undefined;
      this.#sent = undefined;
      this.#sentEarlier = undefined;
      this.#resyncUnconfirmed = 2;
      return { keys: [], resync: true };
    }
    const keys: LogKey[] = [];
    for (const [log, seq] of this.#pending ?? []) {
      keys.push([log, seq]);
      this.recordSent(log, seq, bound);
    }
    this.#pending = undefined;
    return { keys, resync: false };
  }

  /** The client answered a ping. */
  confirm(): void {
    this.#sentEarlier = this.#sent;
    this.#sent = undefined;
    if (this.#resyncUnconfirmed > 0) this.#resyncUnconfirmed--;
  }

  /** The connection is gone: what was not confirmed is to be pushed again on the next one. */
  recall(bound: number): void {
    const { sent, earlier } = { sent: this.#sent, earlier: this.#sentEarlier };
    const lost = this.#resyncUnconfirmed > 0;
    this.#sent = undefined;
    this.#sentEarlier = undefined;
    this.#resyncUnconfirmed = 0;
    if (lost) {
      this.requireResync();
      return;
    }
    for (const keys of [earlier, sent]) for (const [log, seq] of keys ?? []) this.add(log, seq, bound);
  }
}
