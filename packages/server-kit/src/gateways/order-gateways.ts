import type { GatewayDescription } from '../ports/gateway-directory.ts';

/** A user of an app. */
interface UserOf {
  readonly appId: string;
  readonly userId: string;
}

/** What the order looks at. */
export type Candidate = Pick<GatewayDescription, 'url' | 'load' | 'draining' | 'unready'>;

/** Below this load a gateway counts in full: users return to where they were while nobody is in need. */
const fullUntil = 0.6;
/** The weight of a gateway that takes no more; never nothing, so that somebody is left when all are at their end. */
const leastWeight = 0.02;
/** Weights have this many steps, so that a load that wavers moves nobody. */
const steps = 10;

/**
 * Gateways for one user, best first: the highest weighted rendezvous score, weighted by the room that is left. The same user gets the same
 * order from every API as long as loads stay within their step, and when a gateway comes or goes only the users move for whom it is the best.
 * Unready ones come in only when nothing else lives, and draining ones only when not even those do. After the first, the order prefers ports and hosts that it has named less often: where a
 * network blocks a port, or a host is gone, the second attempt goes elsewhere.
 * @see Thaler, Ravishankar: "A Name-Based Mapping Scheme for Rendezvous", 1996 (the weighted form: Schindelhauer, Schomaker, 2005)
 */
export function orderGateways<C extends Candidate>({ appId, userId }: UserOf, gateways: readonly C[], most: number): C[] {
  const user = `${appId}/${userId}`;
  const staying = gateways.filter(({ draining }) => !draining);
  const ready = staying.filter(({ unready }) => !unready);
  const taking = [ready, staying].find((some) => some.length > 0) ?? gateways;
  const scored = roomiestOfEachAddress(taking)
    .map((gateway) => ({ gateway, score: weightOf(gateway.load) / -Math.log(fraction(user, gateway.url)), ...placeOf(gateway.url) }))
    .sort((a, b) => b.score - a.score || (a.gateway.url < b.gateway.url ? -1 : 1));
  const ports = new Map<string, number>();
  const hosts = new Map<string, number>();
  const ordered: C[] = [];
  while (scored.length > 0 && ordered.length < most) {
    let best = 0;
    for (let i = 1; i < scored.length; i++) {
      if (timesNamed(scored[i], ports, hosts) < timesNamed(scored[best], ports, hosts)) best = i;
    }
    const [next] = scored.splice(best, 1);
    if (next === undefined) break;
    ports.set(next.port, (ports.get(next.port) ?? 0) + 1);
    hosts.set(next.host, (hosts.get(next.host) ?? 0) + 1);
    ordered.push(next.gateway);
  }
  return ordered;
}

/** Gateways that share an address (workers on one port) are one to those who connect. */
function roomiestOfEachAddress<C extends Candidate>(gateways: readonly C[]): C[] {
  const byUrl = new Map<string, C>();
  for (const gateway of gateways) {
    const known = byUrl.get(gateway.url);
    if (known === undefined || gateway.load < known.load) byUrl.set(gateway.url, gateway);
  }
  return [...byUrl.values()];
}

type Place = { readonly port: string; readonly host: string } | undefined;

function timesNamed(place: Place, ports: ReadonlyMap<string, number>, hosts: ReadonlyMap<string, number>): number {
  return place === undefined ? 0 : (ports.get(place.port) ?? 0) + (hosts.get(place.host) ?? 0);
}

function weightOf(load: number): number {
  const room = load <= fullUntil ? 1 : Math.max(0, (1 - load) / (1 - fullUntil));
  return Math.max(leastWeight, Math.ceil(room * steps) / steps);
}

function placeOf(url: string): { port: string; host: string } {
  const { hostname, port, protocol } = new URL(url);
  return { host: hostname, port: port === '' ? protocol : port };
}

/** A number between 0 and 1, both excluded, the same for the same user and gateway everywhere: FNV-1a, then the finaliser of MurmurHash3. */
function fraction(user: string, url: string): number {
  let hash = 0x811c9dc5;
  for (const text of [user, '\n', url]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32 + 2 ** -33;
}
