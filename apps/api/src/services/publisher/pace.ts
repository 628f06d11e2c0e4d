/** How far apart the fan-outs of one conversation are kept, by its number of members. */
export interface PaceOptions {
  /** Up to this many members every append is fanned out at once. */
  readonly freeMembers: number;
  /** Gap for each member above, ms. */
  readonly msPerMember: number;
  readonly maxMs: number;
}

/**
 * The cost of a fan-out grows with the members, its use does not: keys of one log supersede each other. The gap holds the keys per second
 * of one conversation at about 1,400 until it reaches the cap: with 1,000 online, a delivery then costs less than pushing the body
 * itself would (bench, W3), and the slowest still hears within a second. Who watches the conversation does not wait at all.
 */
export const defaultPace: PaceOptions = { freeMembers: 100, msPerMember: 0.7, maxMs: 800 };

/** Least time between two fan-outs of a conversation with so many members, ms. */
export function paceOf(members: number, pace: PaceOptions): number {
  return Math.min(pace.maxMs, Math.max(0, members - pace.freeMembers) * pace.msPerMember);
}
