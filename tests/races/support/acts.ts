import { actsOn } from '../../protocol/support/acts.ts';
import type { Arena } from './arena.ts';

/** What members do, through the server at `index`, counted round. */
export const through = (arena: () => Arena, index: number) => actsOn(() => arena().http(index));

/** The values of tasks that must all have ended well. */
export function values<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
