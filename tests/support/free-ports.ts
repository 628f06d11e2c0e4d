import { portIsFree } from '@nudge/standalone/postgres';

let next = 27_000 + (process.pid % 100) * 40;

/** The first of so many neighbouring ports that nobody listens on, below those that outgoing connections take. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = next;
    next += count;
    const free = await Promise.all(Array.from({ length: count }, (_, at) => portIsFree(first + at)));
    if (free.every(Boolean)) return first;
  }
}
