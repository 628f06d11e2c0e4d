import type { Clock } from '@nudge/server-kit';
import { conversationLog, type LogName } from '@nudge/types';
import type { MemberCache, Recipients } from './member-cache.ts';
import type { Outgoing, Settle } from './outgoing.ts';
import { compareSpots, firstSpot, type Spot } from './topic-list.ts';

/**
 * Turns into which a round is divided at most, and their least distance, ms. With one, all pull in the same moment and wait for each other;
 * with many, each pull costs more (ADR 15).
 */
const turnsPerRound = 4;
const leastTurnMs = 10;

/** A place on the way round: everybody up to `spot` has been told in this lap. */
interface Place {
  readonly lap: number;
  readonly spot: Spot;
}

/** A head that everybody is to hear of. */
interface Waiting {
  /** Where the walk stood: when it is there again a lap later, everybody has been told. */
  readonly since: Place;
  readonly settle: Settle;
}

/** What all fan-outs of a process share. */
export interface FanOutContext {
  readonly clock: Clock;
  readonly members: Pick<MemberCache, 'peek' | 'get'>;
  readonly outgoing: Pick<Outgoing, 'open'>;
  /** Time a round over so many members takes, ms; 0: everybody is told at once, always. */
  readonly roundOf: (members: number) => number;
  /** Everybody knows, and could be told the next head at once: nothing is lost when the fan-out is forgotten. */
  readonly onRest: (conversationId: string) => void;
}

/**
 * Tells the members of one conversation how far its log has got. It walks in a circle, tells whom it comes by the newest seq, and stops
 * when everybody knows. It may walk one round at once and earns the next one with time. So a message after a silence is told to all in one
 * go (some hear of the next before a round is over); and while a big conversation keeps talking, each member hears once in a round, a
 * part of them at a time: neither the bus nor the pulls that follow come in one burst.
 *
 * Nobody waits longer than a round and a turn: by then the walk has been everywhere. One publication at a time is under way.
 */
export class FanOut {
  readonly #context: FanOutContext;
  readonly #conversationId: string;
  readonly #log: LogName;
  /** Newest head that came up, and the least version of the member list it may be told by. */
  #seq = 0;
  #memberVersion = 0;
  readonly #waiting: Waiting[] = [];
  #place: Place = { lap: 0, spot: firstSpot };
  #roundMs = 0;
  /** Part of a round that may be walked at once, 0 to 1, as of `#earnedAt`. */
  #earned = 1;
  #earnedAt: number;
  /** It waits for the members, or for the bus; and how many heads were waiting when it began to. */
  #isBusy = false;
  #concerned = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(context: FanOutContext, conversationId: string) {
    this.#context = context;
    this.#conversationId = conversationId;
    this.#log = conversationLog(conversationId);
    this.#earnedAt = context.clock.now();
  }

  /**
   * The log has reached `seq`: everybody in a member list of at least `memberVersion` is told of it, or of a newer one. `settle` hears when
   * the bus has accepted all of that, or refused some.
   */
  tell(seq: number, memberVersion: number, settle: Settle): void {
    const isFirst = this.#waiting.length === 0;
    this.#seq = isFirst ? seq : Math.max(this.#seq, seq);
    this.#memberVersion = isFirst ? memberVersion : Math.max(this.#memberVersion, memberVersion);
    this.#waiting.push({ since: this.#place, settle });
    if (isFirst) this.#stopTimer();
    if (this.#cancelTimer === undefined) this.#walk();
  }

  /** Goes on at once, and by what `roundOf` says from now on. */
  hurry(): void {
    this.#stopTimer();
    this.#roundMs = 0;
    this.#walk();
  }

  #walk(): void {
    if (this.#isBusy) return;
    if (this.#waiting.length === 0) {
      this.#rest();
      return;
    }
    const { members } = this.#context;
    const held = members.peek(this.#conversationId, this.#memberVersion);
    if (held !== undefined) {
      this.#takeTurn(held);
      return;
    }
    this.#begin();
    members.get(this.#conversationId, this.#memberVersion).then(
      (recipients) => {
        this.#isBusy = false;
        // Meanwhile a head may have come up that saw later members.
        if (recipients.memberVersion < this.#memberVersion) this.#walk();
        else this.#takeTurn(recipients);
      },
      (error: unknown) => this.#finish(error ?? new Error('the members are not known')),
    );
  }

  /** Tells as many as may be told now, up to where everybody knows. */
  #takeTurn({ topics }: Recipients): void {
    const { outgoing, clock, roundOf } = this.#context;
    this.#earn(clock.now());
    this.#roundMs = roundOf(topics.size);
    if (this.#roundMs === 0) this.#earned = 1;
    const end = this.#waiting.at(-1)?.since ?? this.#place;
    const most = this.#roundMs === 0 ? topics.size : Math.floor(this.#earned * topics.size);
    const told: string[] = [];
    let { lap, spot } = this.#place;
    let index = topics.indexAfter(spot);
    while (!isRound(end, lap, spot)) {
      if (index >= topics.size) {
        lap += 1;
        spot = firstSpot;
        index = 0;
      } else if (told.length < most) {
        spot = topics.at(index);
        told.push(spot.topic);
        index += 1;
      } else break;
    }
    this.#place = { lap, spot };
    if (told.length === 0) {
      this.#finish();
      return;
    }
    if (this.#roundMs > 0) this.#earned -= told.length / topics.size;
    this.#begin();
    const message = { kind: 'key', log: this.#log, seq: this.#seq } as const;
    const publications = outgoing.open((error) => this.#finish(error));
    for (const topic of told) publications.push({ topic, message });
  }

  #begin(): void {
    this.#isBusy = true;
    this.#concerned = this.#waiting.length;
  }

  /** Ends what everybody has been told of; or, with an error, what was waiting when the failed call began. */
  #finish(error?: unknown): void {
    this.#isBusy = false;
    const { lap, spot } = this.#place;
    const open = this.#waiting.findIndex(({ since }) => !isRound(since, lap, spot));
    const told = open < 0 ? this.#waiting.length : open;
    for (const { settle } of this.#waiting.splice(0, error === undefined ? told : this.#concerned)) settle(error);
    if (this.#waiting.length > 0 && this.#roundMs > 0) this.#walkIn(Math.max(leastTurnMs, this.#roundMs / turnsPerRound));
    else this.#walk();
  }

  /** Stays until a whole round could be walked at once. */
  #rest(): void {
    this.#earn(this.#context.clock.now());
    const missingMs = Math.ceil(this.#roundMs * (1 - this.#earned));
    if (missingMs > 0) this.#walkIn(missingMs);
    else this.#context.onRest(this.#conversationId);
  }

  #earn(now: number): void {
    // A clock set back earns nothing.
    if (this.#roundMs > 0) this.#earned = Math.min(1, this.#earned + Math.max(0, now - this.#earnedAt) / this.#roundMs);
    this.#earnedAt = now;
  }

  #walkIn(ms: number): void {
    this.#stopTimer();
    this.#cancelTimer = this.#context.clock.after(ms, () => {
      this.#cancelTimer = undefined;
      this.#walk();
    });
  }

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}

/** Whether a walk that has come to `spot` in a lap has been round since it stood at `since`. */
function isRound(since: Place, lap: number, spot: Spot): boolean {
  return lap > since.lap + 1 || (lap === since.lap + 1 && compareSpots(spot, since.spot) >= 0);
}
