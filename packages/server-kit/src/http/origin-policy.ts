/** Which web pages may talk to this server. */
export interface OriginPolicy {
  /** @param origin the `Origin` header, absent from what is no browser @param host the `Host` header */
  allows(origin: string | undefined, host: string | undefined): boolean;
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * No origin, the server's own, one that is listed (`scheme://host[:port]`), and with `localhost` any page served over http by the machine
 * itself, on any port. The opaque origin `null` (sandboxed frames, files) is never allowed.
 */
export function createOriginPolicy(options: { readonly allowed: readonly string[]; readonly localhost: boolean }): OriginPolicy {
  const listed = new Set(options.allowed.map((origin) => new URL(origin).origin));
  return {
    allows(origin, host) {
      if (origin === undefined || listed.has(origin)) return true;
      if (!URL.canParse(origin)) return false;
      const { protocol, host: originHost, hostname, origin: canonical } = new URL(origin);
      // One spelling only: what a browser sends is canonical.
      if (canonical !== origin || (protocol !== 'http:' && protocol !== 'https:')) return false;
      if (host !== undefined && originHost === host.toLowerCase().replace(protocol === 'http:' ? /:80$/ : /:443$/, '')) return true;
      return options.localhost && protocol === 'http:' && loopbackNames.has(hostname);
    },
  };
}
