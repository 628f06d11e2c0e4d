import { NudgeError } from '../errors.ts';
import type { Mounted } from './mounted-route.ts';
import { decodePart, parseQuery } from './query.ts';
import type { RouteValues } from './route-binding.ts';
import { validate } from './validate.ts';

/** Targets remembered, at least the newest half of them. */
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

/**
 * Targets read before, by their text. Two generations, the older dropped whole: unlike an LRU list, forgetting costs nothing, which counts
 * because every other request may bring a new target.
 */
export class ReadTargets {
  #young = new Map<string, ReadTarget>();
  #old = new Map<string, ReadTarget>();

  get(text: string): ReadTarget | undefined {
    return this.#young.get(text) ?? this.#old.get(text);
  }

  set(text: string, read: ReadTarget): void {
    if (this.#young.size >= targetsRemembered / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, read);
  }
}

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
  else if (text.includes('?')) refuseQuery(text);
  if (readTargets !== undefined && route.method === 'GET' && route.body === undefined && text.length <= maxRememberedTarget) {
    readTargets.set(text, { mounted, values: Object.freeze(values) });
  }
  return values;
}

/** A route that takes no query is given one: a parameter nobody reads is a mistake, like a field nobody knows. */
function refuseQuery(text: string): void {
  const [name] = Object.keys(parseQuery(text));
  if (name === undefined) return;
  throw new NudgeError('invalid_request', {
    detail: 'this route takes no query',
    issues: [{ path: 'query', message: 'this route takes no query' }],
  });
}
