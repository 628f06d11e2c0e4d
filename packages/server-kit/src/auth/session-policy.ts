import type { SessionPolicy } from '@nudge/types';
import type { SessionRecord } from '../ports/session-registry.ts';

/** What of a session the rule looks at. */
export type PolicySession = Pick<SessionRecord, 'sessionId' | 'deviceId' | 'connectedAt'> & { readonly platform?: string | undefined };

/** Whether a newcomer may come in, and which sessions end for it. */
export type SessionVerdict<S extends PolicySession> =
  | { readonly admitted: true; readonly end: readonly S[] }
  | { readonly admitted: false };

/**
 * Applies an app's rule to a session that is about to begin. `sessions` are those the user has, in any order, on all gateways. What the same
 * device left behind is replaced in any case and counts for nothing, nor does the newcomer itself (one that resumes). Otherwise, by `whenFull`,
 * the oldest sessions that stand in the way end, or the newcomer is refused. `hardLimit` is the server's own bound, which only refuses.
 */
export function sessionsToEnd<S extends PolicySession>(
  policy: SessionPolicy | undefined,
  sessions: readonly S[],
  newcomer: Pick<PolicySession, 'sessionId' | 'deviceId' | 'platform'>,
  hardLimit = Number.POSITIVE_INFINITY,
): SessionVerdict<S> {
  const { maxSessions, onePerPlatform, whenFull } = policy ?? {};
  const others = sessions
    .filter(({ sessionId, deviceId }) => sessionId !== newcomer.sessionId && deviceId !== newcomer.deviceId)
    .sort(byAge);
  const rivals = onePerPlatform ? others.filter(({ platform }) => (platform ?? '') === (newcomer.platform ?? '')) : [];
  const rest = others.filter((session) => !rivals.includes(session));
  const surplus = maxSessions == null ? 0 : Math.max(0, rest.length + 1 - maxSessions);
  const end = [...rivals, ...rest.slice(0, surplus)];
  if (end.length > 0 && whenFull === 'refuse') return { admitted: false };
  return others.length - end.length + 1 > hardLimit ? { admitted: false } : { admitted: true, end };
}

/**
 * The sessions that a rule leaves no room for, each taken to have begun when those older than it were there: what {@link sessionsToEnd} says one
 * after the other, and what was left behind by a device that is there anew. Whoever has the same list comes to the same result, so that gateways
 * that let newcomers in at the same moment agree on who stays.
 */
export function surplusSessions<S extends PolicySession>(policy: SessionPolicy, sessions: readonly S[]): S[] {
  const surplus: S[] = [];
  let staying: S[] = [];
  for (const session of [...sessions].sort(byAge)) {
    const verdict = sessionsToEnd(policy, staying, session);
    if (!verdict.admitted) {
      surplus.push(session);
      continue;
    }
    const ends = (other: S) => other.deviceId === session.deviceId || verdict.end.includes(other);
    surplus.push(...staying.filter(ends));
    staying = [...staying.filter((other) => !ends(other)), session];
  }
  return surplus;
}

function byAge(a: PolicySession, b: PolicySession): number {
  return a.connectedAt - b.connectedAt || (a.sessionId < b.sessionId ? -1 : 1);
}
