/** A topic with the number that orders it. */
export interface Spot {
  readonly rank: number;
  readonly topic: string;
}

/** What a walk over a {@link TopicList} needs. */
export interface Topics {
  readonly size: number;
  has(topic: string): boolean;
  at(index: number): Spot;
  /** Index of the first topic behind `spot`, whether or not that one is (still) in the list. */
  indexAfter(spot: Spot): number;
}

/** Before all topics. */
export const firstSpot: Spot = { rank: -1, topic: '' };

/**
 * Topics in an order of their own: a place in it is a topic, which stays what it is while others come and go. The order is that of a
 * hash, so that names that are alike (those of one team, who are online at the same time) lie apart.
 */
export class TopicList implements Topics {
  readonly #spots: Spot[];

  /** @param topics each once, in any order */
  constructor(topics: readonly string[] = []) {
    this.#spots = topics.map(spotOf).sort(compareSpots);
  }

  get size(): number {
    return this.#spots.length;
  }

  has(topic: string): boolean {
    return this.#spots[this.indexAfter(spotOf(topic)) - 1]?.topic === topic;
  }

  at(index: number): Spot {
    const spot = this.#spots[index];
    if (spot === undefined) throw new RangeError(`${index} of ${this.size} topics`);
    return spot;
  }

  indexAfter(spot: Spot): number {
    let from = 0;
    let to = this.#spots.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (compareSpots(this.at(middle), spot) <= 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  add(topic: string): void {
    const spot = spotOf(topic);
    const index = this.indexAfter(spot);
    if (this.#spots[index - 1]?.topic !== topic) this.#spots.splice(index, 0, spot);
  }

  delete(topic: string): void {
    const index = this.indexAfter(spotOf(topic)) - 1;
    if (this.#spots[index]?.topic === topic) this.#spots.splice(index, 1);
  }
}

/** Negative, 0 or positive, as `sort` wants it. */
export function compareSpots(a: Spot, b: Spot): number {
  if (a.rank !== b.rank) return a.rank - b.rank;
  if (a.topic === b.topic) return 0;
  return a.topic < b.topic ? -1 : 1;
}

/** FNV-1a over the code units, with a last mix: names that differ in their last character only lie apart too. */
function spotOf(topic: string): Spot {
  let hash = 0x811c9dc5;
  for (let i = 0; i < topic.length; i += 1) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return { rank: (hash ^ (hash >>> 12)) >>> 0, topic };
}
