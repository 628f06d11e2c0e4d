/** How often a member of a conversation that goes on talking hears of it, by its number of members. */
export interface PaceOptions {
  /** Up to this many members everybody hears at once. */
  readonly freeMembers: number;
  /** Time between two keys of the same member, for each member above, ms. */
  readonly msPerMember: number;
  readonly maxMs: number;
}

/**
 * The cost of a fan-out grows with the members, its use does not: keys of one log supersede each other. The pace holds the keys per second
 * of one conversation a little above 1,000 until it reaches the cap: with 1,000 online, a delivery then costs less than pushing the body
 * itself would (bench, W3 and W8), and a message is everywhere after about a second. Who watches the conversation does not wait at all.
 */
export const defaultPace: PaceOptions = { freeMembers: 100, msPerMember: 1, maxMs: 880 };

/** Mean time between two keys of the same member of a conversation with so many that goes on talking, ms. */
export function paceOf(members: number, pace: PaceOptions): number {
  return Math.min(pace.maxMs, Math.max(0, members - pace.freeMembers) * pace.msPerMember);
}
