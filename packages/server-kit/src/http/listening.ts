import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../log.ts';

/** Listens; rejects when it cannot. `url` is where the server can be reached from this machine. */
export function listen(
  server: Server,
  scheme: 'http' | 'https',
  { port, host, reusePort = false }: { readonly port: number; readonly host: string; readonly reusePort?: boolean },
): Promise<{ url: string }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, reusePort }, () => {
      server.off('error', reject);
      const address = server.address() as AddressInfo;
      const name = address.address === '0.0.0.0' || address.address === '::' ? '127.0.0.1' : address.address;
      resolve({ url: `${scheme}://${name.includes(':') ? `[${name}]` : name}:${address.port}` });
    });
  });
}

/**
 * Ends when the last connection has: idle ones at once, those at work after their answer, all others when the time is up. Upgraded
 * connections belong to whoever upgraded them; they are not waited for longer than that.
 */
export async function close(server: Server, stopMs: number, log: Logger): Promise<void> {
  if (!server.listening) return;
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  // An answer begun before the wish to stop leaves its connection open and idle.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const cut = setTimeout(() => {
    log.warn('connections were cut');
    server.closeAllConnections();
    closed.resolve();
  }, stopMs);
  await closed.promise;
  clearInterval(sweep);
  clearTimeout(cut);
}
