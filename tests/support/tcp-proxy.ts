import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** `toServer` is what clients send, `toClient` what the server answers. */
export type Direction = 'toServer' | 'toClient';

export interface ProxyStats {
  /** Connections accepted so far, refused ones not counted. */
  readonly accepted: number;
  /** Connections open now. */
  readonly open: number;
  /** Bytes passed on, by direction. */
  readonly bytes: Readonly<Record<Direction, number>>;
  /** How often each fault hit: chunks delayed or held up, connections refused, reset or cut. */
  readonly fired: Readonly<Record<Fault, number>>;
}

export type Fault = 'delay' | 'stall' | 'refuse' | 'reset' | 'cut';

/** A TCP proxy on 127.0.0.1 whose network goes bad on command. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  readonly stats: ProxyStats;
  /** The same URL with host and port of the proxy. */
  through(url: string): string;
  /** Every chunk arrives this much later, in order. Milliseconds; 0 ends it. */
  delay(ms: number, direction?: Direction): void;
  /** Nothing passes and nothing closes, as on a half-open connection, until `heal`. */
  stall(direction?: Direction): void;
  /** New connections are reset at once, until `heal`. */
  refuse(): void;
  /** Resets all open connections (RST, not FIN). Returns how many. */
  reset(): number;
  /** Every open connection is reset once this many further bytes have passed: inside a frame. */
  cutAfter(bytes: number, direction: Direction): void;
  /** Ends all lasting faults; what was held back is delivered. */
  heal(): void;
}

interface Link {
  readonly sockets: Readonly<Record<Direction, Socket>>;
  /** Bytes that may still pass before the link is cut. */
  readonly budget: Partial<Record<Direction, number>>;
}

/** Above this much waiting data a direction reads no further, so memory stays bounded. */
const HELD_BYTES = 1024 * 1024;

export async function createTcpProxy(target: { host?: string; port: number }): Promise<TcpProxy> {
  const bytes = { toServer: 0, toClient: 0 };
  const fired = { delay: 0, stall: 0, refuse: 0, reset: 0, cut: 0 };
  const delays: Record<Direction, number> = { toServer: 0, toClient: 0 };
  const stalls: Partial<Record<Direction, PromiseWithResolvers<void>>> = {};
  const links = new Set<Link>();
  let accepted = 0;
  let refusing = false;

  const directions = (only?: Direction): Direction[] => (only ? [only] : ['toServer', 'toClient']);

  function heal(): void {
    refusing = false;
    for (const direction of directions()) {
      delays[direction] = 0;
      stalls[direction]?.resolve();
      delete stalls[direction];
    }
    for (const link of links) {
      delete link.budget.toServer;
      delete link.budget.toClient;
    }
  }

  function close(link: Link, how: 'reset' | 'destroy'): void {
    links.delete(link);
    for (const socket of Object.values(link.sockets)) {
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  function cut(link: Link): void {
    if (!links.has(link)) return;
    fired.cut += 1;
    close(link, 'reset');
  }

  async function pass(link: Link, direction: Direction, chunk: Buffer): Promise<void> {
    const to = link.sockets[direction];
    const allowed = link.budget[direction];
    const part = allowed === undefined ? chunk : chunk.subarray(0, allowed);
    bytes[direction] += part.length;
    if (allowed === undefined) {
      // An error while it waits is heard by the socket's own listener, which closes the link.
      if (!to.write(part) && !to.destroyed) await Promise.race([once(to, 'drain'), once(to, 'close')]).catch(() => undefined);
      return;
    }
    link.budget[direction] = allowed - part.length;
    // The cut waits for the last allowed byte to leave: a reset would throw it away.
    if (part.length > 0) await new Promise<void>((resolve) => to.write(part, () => resolve()));
    if (link.budget[direction] === 0) cut(link);
  }

  function pump(link: Link, direction: Direction, from: Socket): void {
    let line = Promise.resolve();
    let held = 0;
    const enqueue = (size: number, step: () => Promise<void> | void) => {
      const dueAt = performance.now() + delays[direction];
      if (delays[direction] > 0) fired.delay += 1;
      held += size;
      if (held > HELD_BYTES) from.pause();
      line = line.then(async () => {
        const wait = dueAt - performance.now();
        if (wait > 0) await delay(wait);
        if (stalls[direction]) fired.stall += 1;
        while (stalls[direction]) await stalls[direction].promise;
        if (links.has(link)) await step();
        held -= size;
        if (held <= HELD_BYTES) from.resume();
      });
    };
    from.on('data', (chunk: Buffer) => enqueue(chunk.length, () => pass(link, direction, chunk)));
    from.on('end', () => enqueue(0, () => void link.sockets[direction].end()));
    from.on('error', () => enqueue(0, () => close(link, 'reset')));
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (refusing) {
      fired.refuse += 1;
      client.resetAndDestroy();
      return;
    }
    accepted += 1;
    const upstream = createConnection({
      host: target.host ?? '127.0.0.1',
      port: target.port,
      allowHalfOpen: true,
    });
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const link: Link = { sockets: { toServer: upstream, toClient: client }, budget: {} };
    links.add(link);
    pump(link, 'toServer', client);
    pump(link, 'toClient', upstream);
    const closeWhenBothEnded = () => {
      if (client.destroyed && upstream.destroyed) links.delete(link);
    };
    client.on('close', closeWhenBothEnded);
    upstream.on('close', closeWhenBothEnded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const port = address.port;

  return {
    port,
    get stats() {
      return { accepted, open: links.size, bytes: { ...bytes }, fired: { ...fired } };
    },
    through(url) {
      const changed = new URL(url);
      changed.hostname = '127.0.0.1';
      changed.port = String(port);
      return changed.href;
    },
    delay(ms, only) {
      for (const direction of directions(only)) delays[direction] = ms;
    },
    stall(only) {
      for (const direction of directions(only)) stalls[direction] ??= Promise.withResolvers<void>();
    },
    refuse() {
      refusing = true;
    },
    reset() {
      const count = links.size;
      fired.reset += count;
      for (const link of links) close(link, 'reset');
      return count;
    },
    cutAfter(allowed, direction) {
      for (const link of links) {
        link.budget[direction] = allowed;
        if (allowed === 0) cut(link);
      }
    },
    heal,
    async [Symbol.asyncDispose]() {
      heal();
      for (const link of links) close(link, 'destroy');
      server.close();
      await once(server, 'close');
    },
  };
}
