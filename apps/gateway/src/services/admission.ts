import {
  type Admission,
  type AppDirectory,
  type Clock,
  type Identity,
  NudgeError,
  type Revocations,
  type TokenVerifier,
} from '@nudge/server-kit';
import { handshakeAuthSchema, type Limits } from '@nudge/types';
import { AddressRate } from './address-rate.ts';
import type { Load } from './load-meter.ts';
import type { Session } from './session.ts';
import type { RuleInForce, SessionRule } from './session-rule.ts';
import type { Sessions } from './sessions.ts';

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly load: Load;
  readonly sessions: Sessions;
  readonly rule: SessionRule;
  readonly tokens: TokenVerifier;
  readonly directory: Pick<AppDirectory, 'epochOf' | 'isFresh'>;
  readonly revocations: Revocations;
  /** Ensures the user's row and refuses banned users. */
  readonly admit: Admission;
  /** Why nothing may be served now; undefined while all is well. */
  readonly refusal: () => string | undefined;
}

/** A handshake that was let in. */
export interface Admitted {
  readonly session: Session;
  readonly identity: Identity;
  readonly resumed: boolean;
  readonly epoch: number;
}

/** How far beyond a soft bound the hard one lies. */
const hardFactor = { rate: 2, delay: 4 } as const;
/** Connections above the bound that may wait for their refusal. */
const refusalRoom = 100;

/**
 * Who gets in. Cheap questions come first: a handshake that is refused for load costs no signature check. A resume is judged like any other
 * handshake.
 */
export class GatewayAdmission {
  readonly #options: AdmissionOptions;
  readonly #addresses: AddressRate;
  #draining = false;
  #second = 0;
  #upgrades = 0;
  #handshakes = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#addresses = new AddressRate(options.clock, options.limits.handshakesPerAddressPer10Seconds);
  }

  drain(): void {
    this.#draining = true;
  }

  /**
   * Asked before the upgrade, with the sockets open now: whatever is spent on a refused one is already too much. What one address asks for above
   * its share counts for nothing else.
   */
  refuseUpgrade(sockets: number, address: string): NudgeError | undefined {
    const { limits, load } = this.#options;
    if (this.#draining) return new NudgeError('draining', { retryAfterMs: hardDelay() });
    const waitMs = this.#addresses.count(address);
    if (waitMs !== undefined) return overloaded('handshakesPerAddressPer10Seconds', Math.max(1_000, waitMs));
    this.#tick();
    this.#upgrades++;
    const tooMany = sockets >= limits.gatewaySockets + refusalRoom;
    const tooFast = this.#upgrades > limits.handshakesPerSecond * hardFactor.rate;
    const tooSlow = load.delayMs > limits.eventLoopDelayMs * hardFactor.delay;
    return tooMany || tooFast || tooSlow ? new NudgeError('overloaded', { retryAfterMs: hardDelay() }) : undefined;
  }

  /** Judges a handshake from `address`; throws a {@link NudgeError}. Whoever gets a session attaches or abandons it. */
  async judge(auth: unknown, address: string): Promise<Admitted> {
    const { limits, load, sessions, directory, revocations, rule } = this.#options;
    if (this.#draining) throw new NudgeError('draining', { retryAfterMs: jitter(1_000) });
    this.#tick();
    if (++this.#handshakes > limits.handshakesPerSecond) throw overloaded('handshakesPerSecond', 1_000);
    if (sessions.activeCount >= limits.gatewaySockets) throw overloaded('gatewaySockets', 5_000);
    if (load.delayMs > limits.eventLoopDelayMs) throw overloaded('eventLoopDelayMs', 2_000);
    const parsed = handshakeAuthSchema.safeParse(auth);
    if (!parsed.success)
      throw new NudgeError('invalid_request', {
        detail: 'auth must be {token, deviceId, sessionId?, client?, platform?}',
      });
    const { token, deviceId, sessionId, platform } = parsed.data;
    const device = { deviceId, platform: platform ?? undefined };
    if (!directory.isFresh() || !revocations.isFresh())
      throw new NudgeError('database_unavailable', {
        retryAfterMs: jitter(2_000),
      });
    this.#judgeServer();
    const identity = this.#verify(token, address);
    const admitting = this.#judgeUser(identity);
    if (admitting !== undefined) await admitting;

    const found = sessionId == null ? undefined : sessions.find(identity, deviceId, sessionId);
    // A detached session is not counted: coming back makes it one more.
    const isOneMore = found === undefined || found.state === 'detached';
    const policy = isOneMore ? rule.of(identity.appId) : undefined;
    if (isOneMore && policy === undefined) this.#judgeSessions(identity, 0);
    const elsewhere = isOneMore ? await rule.elsewhere(identity) : [];
    // Others may have been let in meanwhile. From here until the session counts there is no wait, or a rush of one user would pass.
    let inForce: RuleInForce | undefined;
    if (policy !== undefined) {
      const newcomer = found === undefined ? { sessionId: '', ...device } : { sessionId: found.id, deviceId, platform: found.platform };
      inForce = rule.judge(policy, identity, elsewhere, newcomer);
      if (inForce === undefined) throw tooManySessions("the app's rule");
    } else if (isOneMore) this.#judgeSessions(identity, elsewhere.length);
    const resumed = found !== undefined && found.state !== 'ended';
    if (resumed) sessions.claim(found);
    const session = resumed ? found : await sessions.open(identity, device);
    try {
      // Whoever was banned or revoked before the session was there found nothing to end; from here on it is ended like any other.
      this.#judgeServer();
      const still = this.#judgeUser(identity);
      if (still !== undefined) await still;
      if (inForce !== undefined && !(await rule.enforce(inForce, session))) throw tooManySessions("the app's rule");
    } catch (error) {
      sessions.abandon(session, resumed);
      throw error;
    }
    return { session, identity, resumed, epoch: directory.epochOf(identity.appId) };
  }

  /** A forged token takes nothing of what the gateway can start, which would keep others out, but of its own address's share. */
  #verify(token: string, address: string): Identity {
    try {
      return this.#options.tokens.verify(token);
    } catch (error) {
      if (error instanceof NudgeError && error.code === 'token_invalid') {
        this.#handshakes--;
        this.#addresses.countForged(address);
      }
      throw error;
    }
  }

  /** Whether the database is the one that it was. */
  #judgeServer(): void {
    const detail = this.#options.refusal();
    if (detail !== undefined) throw new NudgeError('database_unavailable', { detail, retryAfterMs: jitter(5_000) });
  }

  /** Whether nothing speaks against the user and the token. Only a user whose row is not known of yet has to be waited for. */
  #judgeUser(identity: Identity): void | Promise<void> {
    const { appId, userId, issuedAt } = identity;
    if (this.#options.revocations.isRevoked(appId, userId, issuedAt)) throw new NudgeError('token_revoked');
    return this.#options.admit(identity);
  }

  /** Refuses one session more than the user may have, `elsewhere` being those on other gateways. */
  #judgeSessions({ appId, userId }: Identity, elsewhere: number): void {
    const { limits, sessions } = this.#options;
    if (elsewhere + sessions.liveOf(appId, userId) < limits.sessionsPerUser) return;
    throw tooManySessions(`${limits.sessionsPerUser} (sessionsPerUser)`);
  }

  #tick(): void {
    const second = Math.floor(this.#options.clock.now() / 1_000);
    if (second === this.#second) return;
    this.#second = second;
    this.#upgrades = 0;
    this.#handshakes = 0;
  }
}

function tooManySessions(bound: string): NudgeError {
  return new NudgeError('too_many_sessions', { detail: `as many as there may be: ${bound}`, retryAfterMs: jitter(30_000) });
}

function overloaded(limit: string, retryAfterMs: number): NudgeError {
  return new NudgeError('overloaded', {
    detail: `the gateway is at its limit ${limit}`,
    retryAfterMs: jitter(retryAfterMs),
  });
}

/** When to come back after a refusal before the upgrade, ms. */
const hardDelay = (): number => 1_000 + Math.random() * 2_000;

/** Between once and twice `ms`, so that those refused together do not return together. */
function jitter(ms: number): number {
  return Math.round(ms * (1 + Math.random()));
}
