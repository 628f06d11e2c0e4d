import type { Clock } from '@nudge/server-kit';
import type { UserOf } from './membership.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

const stepMs = 50;
/** Connections ended at a time, once the deadline is over. */
const batch = 1_000;

export interface DrainOptions {
  readonly sessions: Sessions;
  readonly clock: Clock;
  /** Sockets told to move per second; more where all would not be told within `spreadMs` otherwise. */
  readonly perSecond: number;
  readonly spreadMs: number;
  /** The longest delay that a socket is given before it comes back elsewhere. */
  readonly retryAfterMs: number;
  /** When those who have not moved are disconnected, ms from now. */
  readonly deadlineMs: number;
  /** Address of the gateway to move to, or `undefined` where any will do. Without the function there is no other gateway to move to. */
  readonly pickTarget: ((user: UserOf) => string | undefined) | undefined;
}

/**
 * Tells every live session to move, paced, each with a delay of its own and the gateway to go to, and serves them until they are gone. Whoever
 * is left at the deadline is disconnected. With nowhere to move to all are disconnected when their turn comes. Resolves when all have been told.
 */
export async function drainSessions(options: DrainOptions): Promise<void> {
  const { sessions, clock, perSecond, spreadMs, deadlineMs, pickTarget } = options;
  sessions.drain();
  const endsAt = clock.now() + deadlineMs;
  const live = [...sessions.all()];
  const steps = Math.max(1, Math.floor(Math.min(spreadMs, (1_000 * live.length) / perSecond) / stepMs));
  await inBatches(live, Math.ceil(live.length / steps), clock, (session) => tell(session, options));
  if (pickTarget === undefined) return;
  while (sessions.liveCount > 0 && clock.now() < endsAt) await pause(clock);
  await inBatches([...sessions.all()], batch, clock, (session) => disconnect(session, options));
}

function tell(session: Session, options: DrainOptions): void {
  if (options.pickTarget === undefined) {
    disconnect(session, options);
    return;
  }
  session.connection?.control({
    type: 'reconnect',
    reason: 'draining',
    retryAfterMs: jitter(options.retryAfterMs),
    ...targetOf(session, options),
  });
}

function disconnect(session: Session, options: DrainOptions): void {
  session.connection?.disconnect('draining', jitter(options.retryAfterMs), targetOf(session, options).target);
}

function targetOf({ appId, userId }: Session, { pickTarget }: DrainOptions): { target?: string } {
  const target = pickTarget?.({ appId, userId });
  return target === undefined ? {} : { target };
}

async function inBatches(sessions: readonly Session[], size: number, clock: Clock, act: (session: Session) => void): Promise<void> {
  for (let from = 0; from < sessions.length; from += size) {
    if (from > 0) await pause(clock);
    for (const session of sessions.slice(from, from + size)) act(session);
  }
}

const pause = (clock: Clock): Promise<void> => new Promise((resolve) => void clock.after(stepMs, resolve));

const jitter = (ms: number): number => Math.round(Math.random() * ms);
