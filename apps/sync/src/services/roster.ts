import type { Standing } from '../store/pull-store.ts';
import type { Origin } from './origin.ts';
import { isCurrent } from './visibility.ts';

/**
 * The memberships known of one conversation. One counts only while its version is the newest known and the primary confirmed that
 * version lately. Every read of the primary brings the version along, so one read confirms all members at once; a newer version,
 * wherever it was seen, ends them all until each is read again.
 */
export class Roster {
  readonly #trustMs: number;
  readonly #joined = new Map<string, { readonly seq: number; readonly version: number }>();
  #version: number;
  #versionSince = 0;
  #confirmedAt = Number.NEGATIVE_INFINITY;

  /** @param trustMs how long a membership is trusted after the primary last confirmed it */
  constructor(version: number, trustMs: number) {
    this.#version = version;
    this.#trustMs = trustMs;
  }

  /** The newest version known. */
  get version(): number {
    return this.#version;
  }

  /** Memberships held. */
  get size(): number {
    return this.#joined.size;
  }

  /** Whether the membership is known at the newest version, confirmed lately or not. */
  knows(userId: string): boolean {
    return this.#joined.get(userId)?.version === this.#version;
  }

  /** When the user joined, as a seq, or `undefined` when that must be asked. */
  joinedSeq(userId: string, now: number): number | undefined {
    const joined = this.#joined.get(userId);
    if (joined === undefined || joined.version !== this.#version || now - this.#confirmedAt > this.#trustMs) return undefined;
    return joined.seq;
  }

  /** The version was seen at tick `now`: a control message, or a replica, says that the members changed. */
  raise(version: number, now: number): void {
    if (version <= this.#version) return;
    this.#version = version;
    this.#versionSince = now;
    this.#confirmedAt = Number.NEGATIVE_INFINITY;
  }

  /** News may have been lost: memberships wait for the primary's word. */
  distrust(): void {
    this.#confirmedAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * A statement saw the version. A lower one than is known is an older snapshot, unless the statement was sent after the higher one
   * had arrived: then the primary itself went back.
   */
  observe(version: number, origin: Origin): void {
    if (version > this.#version) this.raise(version, origin.arrivedTick);
    if (!origin.primary) return;
    if (version < this.#version) {
      if (origin.sentTick <= this.#versionSince) return;
      this.#version = version;
      this.#versionSince = origin.arrivedTick;
      this.#joined.clear();
    }
    this.#confirmedAt = Math.max(this.#confirmedAt, origin.sentAt);
  }

  /** Takes in one membership as the primary gave it. */
  learn(standing: Standing, userId: string): void {
    if (standing.state.memberVersion !== this.#version) return;
    if (isCurrent(standing.member)) this.#joined.set(userId, { seq: standing.member.joinedSeq, version: this.#version });
    else this.#joined.delete(userId);
  }
}
