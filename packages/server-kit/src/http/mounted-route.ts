import type { LimitName, Limits, Route } from '@nudge/types';
import type { Identity } from '../auth/identity.ts';
import type { DurationSeries } from '../http-durations.ts';
import type { Metrics } from '../metrics.ts';
import type { RateLimit } from '../ports/rate-limiter.ts';
import type { BoundRoute } from './route-binding.ts';

/** Window of the rates in the limits (`…Per10Seconds`), ms. */
const rateWindowMs = 10_000;

/** A route with all that can be known before a request comes. */
export interface Mounted {
  readonly name: string;
  readonly route: Route;
  readonly handle: BoundRoute['handle'];
  readonly overLimit: BoundRoute['overLimit'] | undefined;
  readonly paramNames: readonly string[];
  /** Which segments of the path are parameters. */
  readonly paramIndexes: readonly number[];
  readonly limit: RateLimit;
  readonly pointsText: string;
  /** Keys of the limiter by verified identity. */
  readonly rateKeys: WeakMap<Identity, string>;
  readonly bodyLimit: LimitName;
  readonly maxBodyBytes: number;
  /** Counts an answer. @param seconds from the request's head to the answer */
  observe(status: number, seconds: number): void;
}

/** Prepares a route under the limits in force. */
export function mount({ name, route, handle, overLimit }: BoundRoute, limits: Limits, metrics: Metrics): Mounted {
  const segments = route.path.split('/');
  const paramIndexes = [...segments.keys()].filter((index) => segments[index]?.startsWith('{'));
  const bodyLimit = route.bodyLimit ?? 'httpBodyBytes';
  const durations = new Map<number, DurationSeries>();
  return {
    name,
    route,
    handle,
    overLimit,
    paramIndexes,
    paramNames: paramIndexes.map((index) => (segments[index] ?? '').slice(1, -1)),
    limit: { points: limits[route.rate], windowMs: rateWindowMs },
    pointsText: String(limits[route.rate]),
    rateKeys: new WeakMap(),
    bodyLimit,
    maxBodyBytes: limits[bodyLimit],
    observe(status, seconds) {
      let duration = durations.get(status);
      if (duration === undefined) {
        duration = metrics.http.labels(name, status);
        durations.set(status, duration);
      }
      duration.observe(seconds);
    },
  };
}

/** The parameters of a path that matched the route, still percent-encoded. */
export function rawParams({ paramIndexes }: Mounted, path: string): string[] {
  if (paramIndexes.length === 0) return [];
  const segments = path.split('/');
  return paramIndexes.map((index) => segments[index] ?? '');
}
