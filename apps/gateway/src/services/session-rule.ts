import {
  type AppDirectory,
  type Bus,
  type Clock,
  type Logger,
  type PolicySession,
  type SessionRegistry,
  sessionsToEnd,
  surplusSessions,
  toNudgeError,
  userTopic,
} from '@nudge/server-kit';
import type { Limits, SessionPolicy } from '@nudge/types';
import type { UserOf } from './membership.ts';
import type { PresenceService } from './presence.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

export interface SessionRuleOptions {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly directory: Pick<AppDirectory, 'sessionPolicyOf'>;
  readonly registry: SessionRegistry;
  readonly sessions: Sessions;
  readonly presence: PresenceService;
  readonly bus: Bus;
  readonly gatewayId: string;
  readonly log: Logger;
}

/** What stands of a rule when the newcomer may begin: all sessions it saw came before it. */
export interface RuleInForce {
  readonly policy: SessionPolicy;
  /** When the newest of those sessions began, ms. */
  readonly newest: number;
}

/**
 * The rules of apps for how many sessions a user may have. A newcomer is judged by what is known before it begins. Newcomers of the same moment
 * may not know of each other then, so each is put into the registry before the sessions are read once more: the last one to read sees all of
 * them, and all that see the same agree on who stays.
 */
export class SessionRule {
  readonly #options: SessionRuleOptions;

  constructor(options: SessionRuleOptions) {
    this.#options = options;
  }

  /** The rule of an app; undefined where it allows whatever the server does. */
  of(appId: string): SessionPolicy | undefined {
    const policy = this.#options.directory.sessionPolicyOf(appId);
    return policy?.maxSessions == null && policy?.onePerPlatform !== true ? undefined : policy;
  }

  /** The user's sessions on other gateways, as far as the registry knows. */
  async elsewhere({ appId, userId }: UserOf): Promise<readonly PolicySession[]> {
    const { registry, gatewayId } = this.#options;
    const records = await registry.sessionsOf(appId, userId);
    return records.filter((record) => record.gatewayId !== gatewayId);
  }

  /** Whether one more session may begin; undefined when not. It waits for nothing, so that a rush of one user to one gateway cannot pass. */
  judge(
    policy: SessionPolicy,
    user: UserOf,
    elsewhere: readonly PolicySession[],
    newcomer: Omit<PolicySession, 'connectedAt'>,
  ): RuleInForce | undefined {
    const { limits } = this.#options;
    const { admitted } = sessionsToEnd(policy, [...elsewhere, ...this.#here(user, false)], newcomer, limits.sessionsPerUser);
    const known = [...elsewhere, ...this.#here(user, true)];
    return admitted ? { policy, newest: Math.max(0, ...known.map(({ connectedAt }) => connectedAt)) } : undefined;
  }

  /**
   * Ends what is in the way of a session that was let in and is not connected yet, itself too where a newer one came at the same moment. Answers
   * false when it is to be refused instead.
   */
  async enforce({ policy, newest }: RuleInForce, session: Session): Promise<boolean> {
    const { clock, presence, sessions } = this.#options;
    // Newer than all it knows of, whatever the clocks of other gateways say.
    session.connectedAt = Math.max(clock.now(), newest + 1);
    await presence.enrol(session);
    const elsewhere = await this.elsewhere(session);
    if (session.state === 'ended') return true;
    const refuses = policy.whenFull === 'refuse';
    // One that is kept for a resume is judged when it comes back. Until then nobody is refused for it, but it does not outlive its successor.
    const surplus = surplusSessions(policy, [...elsewhere, ...this.#here(session, !refuses)]);
    if (refuses && surplus.some(({ sessionId }) => sessionId === session.id)) return false;
    // Where newcomers are refused nobody ends for one, but for another newcomer that read before this one was there to be seen.
    const isMeant = (other: PolicySession) => other.deviceId === session.deviceId || other.connectedAt >= session.connectedAt;
    const ended = refuses ? surplus.filter(isMeant) : surplus;
    const isElsewhere = new Set(elsewhere.map(({ sessionId }) => sessionId));
    const { topic } = session;
    for (const { sessionId } of ended) {
      if (!isElsewhere.has(sessionId)) sessions.kick(topic, { sessionId, reason: 'session_replaced' });
    }
    await this.#kick(
      session,
      ended.filter(({ sessionId }) => isElsewhere.has(sessionId)),
    );
    return true;
  }

  /** A bus that is away keeps nobody out: the rule is applied again when the next session begins. */
  async #kick({ appId, userId }: UserOf, ended: readonly PolicySession[]): Promise<void> {
    if (ended.length === 0) return;
    const { bus, log } = this.#options;
    const topic = userTopic(appId, userId);
    try {
      await bus.publish(ended.map(({ sessionId }) => ({ topic, message: { kind: 'kick', sessionId, reason: 'session_replaced' } })));
    } catch (error) {
      log.warn({ err: error, code: toNudgeError(error).code }, 'sessions that a rule ends could not be told');
    }
  }

  #here({ appId, userId }: UserOf, detached: boolean): PolicySession[] {
    const sessions = this.#options.sessions.of(appId, userId).filter(({ state }) => detached || state !== 'detached');
    return sessions.map(({ id: sessionId, deviceId, connectedAt, platform }) => ({ sessionId, deviceId, connectedAt, platform }));
  }
}
