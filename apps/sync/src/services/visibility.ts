import type { ConversationState, Membership, Standing } from '../store/pull-store.ts';

/** First seq that a member sees: everything from `oldestSeq` with full history, from the own joining with `since_join`. */
export function visibleStart(state: Pick<ConversationState, 'history' | 'oldestSeq'>, joinedSeq: number): number {
  return state.history === 'full' ? state.oldestSeq : Math.max(state.oldestSeq, joinedSeq);
}

/**
 * Where the log begins for a user of `appId`, or `undefined` when nothing of it may be seen: no such conversation, another app's,
 * never a member, or left. The four must stay indistinguishable to the caller.
 */
export function startFor(standing: Standing | undefined, appId: string): number | undefined {
  if (standing === undefined || standing.state.appId !== appId || !isCurrent(standing.member)) return undefined;
  return visibleStart(standing.state, standing.member.joinedSeq);
}

/** Whether the membership is there and has not ended. */
export function isCurrent(member: Membership | undefined): member is Membership {
  return member !== undefined && member.leftSeq === null;
}
