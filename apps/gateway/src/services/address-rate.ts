import { type Clock, MemoryRateLimiter } from '@nudge/server-kit';

const windowMs = 10_000;
/** What a handshake with a forged token counts in all. */
const forgedPoints = 10;
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

  /** A token from this address was no token at all: as if it had come ten times, as far as its share still goes. */
  countForged(address: string): void {
    this.#limiter.consume(networkOf(address), this.#limit, forgedPoints - 1);
  }
}

/**
 * What one subscriber has to itself: an IPv4 address as it is, of an IPv6 address the first 64 bits (RFC 6177, RFC 4291 section 2.5.4), of one
 * that a translator made from IPv4 (RFC 6052, `64:ff9b::/96`) all of it.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [plain = ''] = address.split('%');
  const [head = '', tail] = plain.split('::');
  const first = groupsOf(head);
  const last = groupsOf(tail ?? '');
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  const groups = tail === undefined ? first : [...first, ...zeros, ...last];
  if (groups.slice(0, 6).join(':') === translated) return groups.join(':');
  return `${groups.slice(0, 4).join(':')}::/64`;
}

const translated = '64:ff9b:0:0:0:0';

/** Groups of 16 bits, in one spelling. */
function groupsOf(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? groupsOfIpv4(group) : [Number.parseInt(group, 16).toString(16)]));
}

function groupsOfIpv4(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return [a * 256 + b, c * 256 + d].map((group) => group.toString(16));
}
