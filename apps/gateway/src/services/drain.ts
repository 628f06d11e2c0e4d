import type { Clock } from '@nudge/server-kit';
import type { Sessions } from './sessions.ts';

/** Sockets told to move at a time. */
const batch = 200;
const stepMs = 50;

/**
 * Tells every live session to move and closes it, in batches spread over `spreadMs`, each with its own delay before it comes back. Resolves
 * when all have been told.
 */
export async function drainSessions(options: {
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly spreadMs: number;
  readonly retryAfterMs: number;
}): Promise<void> {
  const { sessions, clock, spreadMs, retryAfterMs } = options;
  sessions.drain();
  const live = [...sessions.all()];
  const size = Math.max(batch, Math.ceil(live.length / Math.max(1, Math.floor(spreadMs / stepMs))));
  for (let from = 0; from < live.length; from += size) {
    if (from > 0) await new Promise<void>((resolve) => void clock.after(stepMs, resolve));
    for (const session of live.slice(from, from + size)) {
      session.connection?.disconnect('draining', Math.round(Math.random() * retryAfterMs));
    }
  }
}
