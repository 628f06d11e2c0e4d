import type { Clock } from '@nudge/server-kit';
import type { LogName } from '@nudge/types';
import { BucketSchedule } from './bucket-schedule.ts';
import type { Connection } from './connection.ts';
import type { GatewayCounts } from './counts.ts';
import type { KeyBox } from './key-box.ts';
import type { KeyFrames } from './key-frame.ts';
import type { Load } from './load-meter.ts';

/** What the coalescer keeps of a session, in the session itself: an own map of states would double the cost of each key. */
export interface Receiver {
  readonly box: KeyBox;
  connection: Connection | undefined;
  /** When keys were last pushed, ms. */
  heardAt: number;
  /** When its waiting keys are to be pushed; infinite while no flush is scheduled. */
  dueAt: number;
  /** Whether it waits for its connection to become writable. */
  blocked: boolean;
}

/** Flushes between two looks at the event loop. */
const flushesPerTurn = 128;
/** Resolution of the gap, ms. */
const granularityMs = 5;

export interface CoalescerOptions {
  readonly clock: Clock;
  readonly load: Load;
  readonly frames: KeyFrames;
  readonly counts: GatewayCounts;
  /** Logs a session may have waiting. Half as many are remembered as unconfirmed: more lost with a connection become a resync. */
  readonly bound: number;
  /** Runs a function in a later turn of the event loop. */
  readonly defer?: (fn: () => void) => void;
}

/**
 * Decides when a session hears. The state of a session is `log -> newest seq`, so whatever happens, what it is told in the end is the newest
 * of everything published. A session that was quiet hears at once. One that has just heard waits the gap, which is 0 on an idle gateway and
 * grows with its load; `direct` keys skip it. Nothing is written to a socket that has not taken what was written before.
 *
 * One schedule serves all sessions; those due are flushed in order of arrival, a bounded number per turn of the event loop.
 */
export class Coalescer {
  readonly #options: CoalescerOptions;
  readonly #defer: (fn: () => void) => void;
  readonly #schedule: BucketSchedule<Receiver>;
  #ready: Receiver[] = [];
  #next = 0;
  #pumping = false;
  readonly #pump = () => this.#turn();

  constructor(options: CoalescerOptions) {
    this.#options = options;
    this.#defer = options.defer ?? setImmediate;
    this.#schedule = new BucketSchedule(options.clock, granularityMs, (due) => {
      for (const receiver of due) if (receiver.dueAt !== Number.POSITIVE_INFINITY) this.#makeReady(receiver);
    });
  }

  /** Sessions that are due and not served yet: a measure of how far the gateway is behind. */
  get backlog(): number {
    return this.#ready.length - this.#next;
  }

  /** A log has reached a seq. */
  offer(receiver: Receiver, log: LogName, seq: number, direct: boolean): void {
    const { clock, load, frames, counts, bound } = this.#options;
    const { box, connection } = receiver;
    counts.keysOffered++;
    if (box.knows(log, seq)) {
      counts.keysKnown++;
      return;
    }
    if (connection === undefined || receiver.blocked) {
      if (!box.add(log, seq, bound)) counts.collapsed++;
      return;
    }
    const now = clock.now();
    const gap = direct ? 0 : load.gapMs;
    const since = now - receiver.heardAt;
    if (box.isEmpty && (direct || since >= gap) && connection.writable) {
      receiver.heardAt = now;
      box.recordSent(log, seq, bound >> 1);
      counts.keysSent++;
      counts.framesSent++;
      connection.sendKeys(frames.ofKey(log, seq));
      return;
    }
    if (!box.add(log, seq, bound)) counts.collapsed++;
    // A clock set back makes `since` negative; nobody waits longer than the gap for that.
    this.#flushAt(receiver, now + Math.max(0, Math.min(gap, gap - since)), now);
  }

  /** The session is to ask for everything, within `spreadMs` (so that not all sessions ask at once). */
  resync(receiver: Receiver, spreadMs = 0): void {
    receiver.box.requireResync();
    const now = this.#options.clock.now();
    if (receiver.connection !== undefined && !receiver.blocked) this.#flushAt(receiver, now + Math.random() * spreadMs, now);
  }

  /** The session has a connection (again): what waits leaves at once. */
  attached(receiver: Receiver): void {
    receiver.blocked = false;
    receiver.dueAt = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    if (!receiver.box.isEmpty) this.#flushAt(receiver, now, now);
  }

  /** The session's connection is gone; keys wait for the next one. */
  detached(receiver: Receiver): void {
    receiver.connection = undefined;
    receiver.blocked = false;
    receiver.dueAt = Number.POSITIVE_INFINITY;
    receiver.box.recall(this.#options.bound);
  }

  stop(): void {
    this.#schedule.clear();
    this.#ready = [];
    this.#next = 0;
  }

  #flushAt(receiver: Receiver, at: number, now: number): void {
    if (at >= receiver.dueAt) return;
    receiver.dueAt = at;
    if (at <= now) this.#makeReady(receiver);
    else this.#schedule.add(receiver, at);
  }

  #makeReady(receiver: Receiver): void {
    this.#ready.push(receiver);
    if (this.#pumping) return;
    this.#pumping = true;
    this.#defer(this.#pump);
  }

  #turn(): void {
    const end = Math.min(this.#ready.length, this.#next + flushesPerTurn);
    while (this.#next < end) {
      const receiver = this.#ready[this.#next++];
      // It may stand here twice (a direct key overtook its own flush) or have lost its connection meanwhile.
      if (receiver === undefined || receiver.dueAt === Number.POSITIVE_INFINITY) continue;
      receiver.dueAt = Number.POSITIVE_INFINITY;
      this.#flush(receiver);
    }
    if (this.#next < this.#ready.length) {
      this.#defer(this.#pump);
      return;
    }
    this.#ready = [];
    this.#next = 0;
    this.#pumping = false;
  }

  #flush(receiver: Receiver): void {
    const { clock, frames, counts, bound } = this.#options;
    const { box, connection } = receiver;
    if (connection === undefined || box.isEmpty) return;
    if (!connection.writable) {
      counts.blocked++;
      receiver.blocked = true;
      connection.onceWritable(() => {
        if (receiver.connection !== connection) return;
        receiver.blocked = false;
        this.#flush(receiver);
      });
      return;
    }
    const notice = box.take(bound >> 1);
    receiver.heardAt = clock.now();
    counts.keysSent += notice.keys.length;
    counts.framesSent++;
    if (notice.resync) counts.resyncsSent++;
    connection.sendKeys(frames.of(notice));
  }
}
