import { LRUCache } from 'lru-cache';
import type { Mounted } from './mounted-route.ts';
import { decodePart, parseQuery } from './query.ts';
import type { RouteValues } from './route-binding.ts';
import { validate } from './validate.ts';

/** Targets of hot requests whose reading is remembered. */
const targetsRemembered = 10_000;
/** Longest target that is remembered, characters. */
const maxRememberedTarget = 256;

/** A request target that matched a route: the parameters of its path still percent-encoded. */
export interface Target {
  readonly text: string;
  readonly params: readonly string[];
  /** Where to remember what it says. */
  readonly readTargets?: ReadTargets;
}

/** A target that was matched, read and validated before. */
export interface ReadTarget {
  readonly mounted: Mounted;
  readonly values: RouteValues;
}

/** Targets read before, by their text. */
export type ReadTargets = LRUCache<string, ReadTarget>;

export const rememberTargets = (): ReadTargets => new LRUCache({ max: targetsRemembered });

/**
 * What the target of a request says, validated. All members of a conversation pull the same page, so what a hot GET says is remembered by
 * its text, frozen: reading and validating it costs several times the lookup.
 */
export function readTarget(mounted: Mounted, { text, params, readTargets }: Target): RouteValues {
  const { route, paramNames } = mounted;
  const values: RouteValues = { params: undefined, query: undefined, body: undefined };
  if (route.params !== undefined) {
    const named: Record<string, string> = {};
    for (const [i, name] of paramNames.entries()) named[name] = decodePart(params[i] ?? '', 'params');
    values.params = Object.freeze(validate(route.params, named, 'params'));
  }
  if (route.query !== undefined) values.query = Object.freeze(validate(route.query, parseQuery(text), 'query'));
  if (readTargets !== undefined && route.method === 'GET' && route.body === undefined && text.length <= maxRememberedTarget) {
    readTargets.set(text, { mounted, values: Object.freeze(values) });
  }
  return values;
}
