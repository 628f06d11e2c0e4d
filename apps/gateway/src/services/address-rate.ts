import { type Clock, MemoryRateLimiter } from '@nudge/server-kit';

const windowMs = 10_000;
/** Addresses counted at a time; beyond that those not heard of for longest are forgotten. */
const addresses = 50_000;

/** Counts handshakes by where they come from, so that one address cannot use up what a gateway can start. */
export class AddressRate {
  readonly #limiter: MemoryRateLimiter;
  readonly #limit: { readonly points: number; readonly windowMs: number };

  /** @param per10Seconds handshakes from one address */
  constructor(clock: Clock, per10Seconds: number) {
    this.#limiter = new MemoryRateLimiter({ clock, keys: addresses });
    this.#limit = { points: per10Seconds, windowMs };
  }

  /** Counts one more; answers after how many ms there may be another when this is one too many. */
  count(address: string): number | undefined {
    const { allowed, resetMs } = this.#limiter.consume(networkOf(address), this.#limit);
    return allowed ? undefined : resetMs;
  }
}

/** What one subscriber has to itself: an IPv4 address as it is, of an IPv6 address the first 64 bits (RFC 6177, RFC 4291 section 2.5.4). */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [plain = ''] = address.split('%');
  const [head = '', tail] = plain.split('::');
  const first = groupsOf(head);
  const last = groupsOf(tail ?? '');
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  const groups = tail === undefined ? first : [...first, ...zeros, ...last];
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** Groups of 16 bits, in one spelling. */
function groupsOf(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? ['v4', 'v4'] : [Number.parseInt(group, 16).toString(16)]));
}
