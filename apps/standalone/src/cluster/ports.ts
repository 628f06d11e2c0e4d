import { portIsFree } from '../postgres/index.ts';

/** Below the range that systems take ports of outgoing connections from: a process that comes back finds its own port free. */
const highest = 32_000;

/** Gives ports of 127.0.0.1, each once, from one on upwards, those left out that somebody listens on. */
export function portsFrom(first: number): () => Promise<number> {
  let next = first;
  return async () => {
    for (;;) {
      const port = next++;
      if (port > highest) throw new Error(`no free port from ${first} to ${highest}`);
      if (await portIsFree(port)) return port;
    }
  };
}
