import {
  type Admission,
  type AppDirectory,
  type Clock,
  type Identity,
  NudgeError,
  type Revocations,
  type SessionRegistry,
  type TokenVerifier,
} from '@nudge/server-kit';
import { handshakeAuthSchema, type Limits } from '@nudge/types';
import type { Load } from './load-meter.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly load: Load;
  readonly sessions: Sessions;
  readonly registry: SessionRegistry;
  readonly gatewayId: string;
  readonly tokens: TokenVerifier;
  readonly directory: Pick<AppDirectory, 'epochOf' | 'isFresh'>;
  readonly revocations: Revocations;
  /** Ensures the user's row and refuses banned users. */
  readonly admit: Admission;
}

/** A handshake that was let in. */
export interface Admitted {
  readonly session: Session;
  readonly identity: Identity;
  readonly resumed: boolean;
  readonly epoch: number;
}

/** Refused before the upgrade: whatever is spent on it is already too much. */
export type HardRefusal = 'draining' | 'overloaded';

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
  #draining = false;
  #second = 0;
  #upgrades = 0;
  #handshakes = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  drain(): void {
    this.#draining = true;
  }

  /** Asked before the upgrade, with the sockets open now. */
  refuseUpgrade(sockets: number): HardRefusal | undefined {
    const { limits, load } = this.#options;
    if (this.#draining) return 'draining';
    this.#tick();
    this.#upgrades++;
    const tooMany = sockets >= limits.gatewaySockets + refusalRoom;
    const tooFast = this.#upgrades > limits.handshakesPerSecond * hardFactor.rate;
    const tooSlow = load.delayMs > limits.eventLoopDelayMs * hardFactor.delay;
    return tooMany || tooFast || tooSlow ? 'overloaded' : undefined;
  }

  /** Judges a handshake; throws a {@link NudgeError}. Whoever gets a session attaches or abandons it. */
  async judge(auth: unknown): Promise<Admitted> {
    const { limits, load, sessions, tokens, directory, revocations } = this.#options;
    if (this.#draining) throw new NudgeError('draining', { retryAfterMs: jitter(1_000) });
    this.#tick();
    if (++this.#handshakes > limits.handshakesPerSecond) throw overloaded('handshakesPerSecond', 1_000);
    if (sessions.activeCount >= limits.gatewaySockets) throw overloaded('gatewaySockets', 5_000);
    if (load.delayMs > limits.eventLoopDelayMs) throw overloaded('eventLoopDelayMs', 2_000);
    const parsed = handshakeAuthSchema.safeParse(auth);
    if (!parsed.success)
      throw new NudgeError('invalid_request', {
        detail: 'auth must be {token, deviceId, sessionId?, client?}',
      });
    const { token, deviceId, sessionId } = parsed.data;
    if (!directory.isFresh() || !revocations.isFresh())
      throw new NudgeError('database_unavailable', {
        retryAfterMs: jitter(2_000),
      });
    const identity = tokens.verify(token);
    const admitting = this.#judgeUser(identity);
    if (admitting !== undefined) await admitting;
    const epoch = directory.epochOf(identity.appId);

    const found = sessionId == null ? undefined : sessions.find(identity, deviceId, sessionId);
    // A detached session is not counted: coming back makes it one more.
    const isOneMore = found === undefined || found.state === 'detached';
    if (isOneMore) this.#judgeSessions(identity, 0);
    const elsewhere = isOneMore ? await this.#sessionsElsewhere(identity) : 0;
    // Whatever was revoked meanwhile found no session to end.
    const still = this.#judgeUser(identity);
    if (still !== undefined) await still;
    // Others may have been let in meanwhile. From here until the session counts there is no wait, or a rush of one user would pass.
    if (isOneMore) this.#judgeSessions(identity, elsewhere);
    if (found !== undefined && found.state !== 'ended') {
      sessions.claim(found);
      return { session: found, identity, resumed: true, epoch };
    }
    const session = await sessions.open(identity, deviceId);
    return { session, identity, resumed: false, epoch };
  }

  /** Whether nothing speaks against the user and the token. Only a user whose row is not known of yet has to be waited for. */
  #judgeUser(identity: Identity): void | Promise<void> {
    const { appId, userId, issuedAt } = identity;
    if (this.#options.revocations.isRevoked(appId, userId, issuedAt)) throw new NudgeError('token_revoked');
    return this.#options.admit(identity);
  }

  async #sessionsElsewhere({ appId, userId }: Identity): Promise<number> {
    const { registry, gatewayId } = this.#options;
    const records = await registry.sessionsOf(appId, userId);
    return records.filter((record) => record.gatewayId !== gatewayId).length;
  }

  /** Refuses one session more than the user may have, `elsewhere` being those on other gateways. */
  #judgeSessions({ appId, userId }: Identity, elsewhere: number): void {
    const { limits, sessions } = this.#options;
    if (elsewhere + sessions.liveOf(appId, userId) < limits.sessionsPerUser) return;
    throw new NudgeError('too_many_sessions', {
      detail: `at most ${limits.sessionsPerUser} (sessionsPerUser)`,
      retryAfterMs: jitter(30_000),
    });
  }

  #tick(): void {
    const second = Math.floor(this.#options.clock.now() / 1_000);
    if (second === this.#second) return;
    this.#second = second;
    this.#upgrades = 0;
    this.#handshakes = 0;
  }
}

function overloaded(limit: string, retryAfterMs: number): NudgeError {
  return new NudgeError('overloaded', {
    detail: `the gateway is at its limit ${limit}`,
    retryAfterMs: jitter(retryAfterMs),
  });
}

/** Between once and twice `ms`, so that those refused together do not return together. */
function jitter(ms: number): number {
  return Math.round(ms * (1 + Math.random()));
}
