import type { Logger } from '../log.ts';

/** Something this process needs before it can serve. */
export interface ReadyCheck {
  readonly name: string;
  /** True when it is there; false or a rejection when not. */
  check(): boolean | Promise<boolean>;
}

/** Whether a process can serve and does not stop, and what it lacks. */
export interface ReadyReport {
  readonly ready: boolean;
  readonly stopping: boolean;
  readonly checks: Readonly<Record<string, boolean>>;
}

/** Longest wait for one check, ms: a probe must not hang with what it probes. */
const checkTimeoutMs = 2_000;

/** Runs all checks side by side. Never rejects. */
export async function reportReadiness(ready: readonly ReadyCheck[], stopping: () => boolean, log: Logger): Promise<ReadyReport> {
  const results = await Promise.all(ready.map(async (check) => [check.name, await passes(check, log)] as const));
  return {
    ready: !stopping() && results.every(([, passed]) => passed),
    stopping: stopping(),
    checks: Object.fromEntries(results),
  };
}

async function passes(check: ReadyCheck, log: Logger): Promise<boolean> {
  const timeout = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => timeout.resolve(false), checkTimeoutMs);
  try {
    return await Promise.race([check.check(), timeout.promise]);
  } catch (error) {
    log.debug({ err: error, check: check.name }, 'not ready');
    return false;
  } finally {
    clearTimeout(timer);
  }
}
