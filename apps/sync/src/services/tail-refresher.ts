import type { PageRead } from '../store/pull-store.ts';
import type { PageReader, Reading, Source } from './page-reader.ts';
import type { Tail } from './tail.ts';

/** What a reader needs of a log before it can be answered. */
export interface Floor {
  /** The state must have reached this seq. */
  readonly seq: number;
  /** The state must be one that the primary had after tick `since`: when the reader named no seq, or one answer fell short already. */
  readonly fresh: boolean;
  /** Tick at which the floor became known. */
  readonly since: number;
}

/** Which rows a reader needs, as an exclusive lower bound. */
export interface Reach {
  /** Where a tail that holds nothing begins, and where the first stale text is that the reader needs. */
  readonly after: number;
  /** Whether texts that the tail holds are needed again. */
  readonly repairs: boolean;
}

/** A read under way, or about to be. */
export interface Boarded {
  /** What was read; the tail has taken it in. `undefined`: it failed for others, ask again. */
  readonly landed: Promise<Reading | undefined>;
  /** Whose membership is read along. */
  readonly userId: string | undefined;
}

interface Flight {
  readonly userId: string | undefined;
  /** Exclusive lower bound of what it reads into a tail that holds nothing. */
  after: number;
  /** Exclusive lower bound of what it reads again of what the tail holds. */
  repairsAfter: number;
  /** Exclusive lower bound of what it reads, from its leaving on. */
  from: number;
  target: number;
  /** Tick at which it left; 0 while it waits. */
  leftAt: () => number;
  readonly landed: Promise<Reading>;
  readonly resolve: (reading: Reading) => void;
  readonly reject: (cause: unknown) => void;
}

interface Flights {
  current: Flight | undefined;
  next: Flight | undefined;
}

const NOT_YET = (): number => 0;

/**
 * Brings a tail up to the head, one read at a time and conversation. Whoever comes joins a flight only when its answer is certain to
 * reach the own floor: the flight has not left yet, or left after the floor was known, or left for a seq that is no lower. Everyone
 * else shares the next flight, which leaves when the current one has landed. A failure stays with those who were on board when it
 * left; nothing of it is kept.
 */
export class TailRefresher {
  readonly #reader: PageReader;
  readonly #pageEntries: number;
  readonly #flights = new WeakMap<Tail, Flights>();

  /** @param pageEntries entries read at most; a tail further behind than that starts anew */
  constructor(reader: PageReader, pageEntries: number) {
    this.#reader = reader;
    this.#pageEntries = pageEntries;
  }

  /**
   * @param userId whose membership a new flight reads along; one that is joined may carry another's
   */
  refresh(source: Source, tail: Tail, floor: Floor, reach: Reach, userId: string | undefined): Boarded {
    const flights = this.#flights.get(tail) ?? { current: undefined, next: undefined };
    this.#flights.set(tail, flights);
    const { current, next } = flights;
    const { after } = reach;
    const repairsAfter = reach.repairs ? after : Number.POSITIVE_INFINITY;
    const inReach = (tail.head !== undefined && !reach.repairs) || after >= (current?.from ?? 0);
    if (current !== undefined && inReach && reaches(current, floor, source.replicas.exist)) {
      return { landed: current.landed.catch(() => undefined), userId: current.userId };
    }
    if (next !== undefined) {
      next.target = Math.max(next.target, floor.seq);
      next.after = Math.min(next.after, after);
      next.repairsAfter = Math.min(next.repairsAfter, repairsAfter);
      return next;
    }
    const { promise, resolve, reject } = Promise.withResolvers<Reading>();
    const flight: Flight = {
      userId,
      after,
      repairsAfter,
      from: after,
      target: floor.seq,
      leftAt: NOT_YET,
      landed: promise,
      resolve,
      reject,
    };
    flights.next = flight;
    if (current === undefined) void this.#fly(source, tail, flights);
    return flight;
  }

  async #fly(source: Source, tail: Tail, flights: Flights): Promise<void> {
    for (let flight = flights.next; flight !== undefined; flight = flights.next) {
      flights.current = flight;
      flights.next = undefined;
      try {
        const reading = await this.#read(source, tail, flight);
        if (reading.rows !== undefined) tail.absorbPage(reading.rows, flight.userId, reading.origin);
        flight.resolve(reading);
      } catch (cause) {
        flight.reject(cause);
      }
      flights.current = undefined;
    }
  }

  #read(source: Source, tail: Tail, flight: Flight): Promise<Reading> {
    flight.from = tail.head === undefined ? flight.after : Math.min(tail.head, flight.repairsAfter);
    const read: PageRead = {
      conversationId: tail.id,
      kind: 'after',
      seq: flight.from,
      limit: this.#pageEntries,
      userId: flight.userId,
    };
    if (source.replicas.exist) return this.#reader.one(source, read, flight.target);
    const ticket = this.#reader.fromPrimary(source, read);
    flight.leftAt = () => ticket.sentAt;
    return ticket.answer;
  }
}

/**
 * A read of the primary that is sent after a floor became known reaches it. Through replicas a flight only reaches what it left for,
 * so there the target decides.
 */
function reaches(flight: Flight, floor: Floor, throughReplicas: boolean): boolean {
  if (!floor.fresh && flight.target >= floor.seq) return true;
  if (throughReplicas) return false;
  const leftAt = flight.leftAt();
  return leftAt === 0 || leftAt > floor.since;
}
