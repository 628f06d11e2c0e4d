/** Places where a test ends the process, to see what is repaired after it. */
export const failpointNames = ['before-append', 'after-commit', 'before-publish'] as const;
export type FailpointName = (typeof failpointNames)[number];

/** Called where the process may be made to die. Outside tests it does nothing. */
export interface Failpoints {
  hit(name: FailpointName): void;
}

export const noFailpoints: Failpoints = { hit: () => undefined };

/** Kills its own process at the named place, as `kill -9` would. */
export function killAt(name: FailpointName): Failpoints {
  return {
    hit: (here) => {
      if (here === name) process.kill(process.pid, 'SIGKILL');
    },
  };
}
