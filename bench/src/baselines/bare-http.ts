/** Baseline: a `node:http` handler that answers every GET with the same bytes, which the parent sends first. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

process.once('message', (page: string) => {
  const body = Buffer.from(page);
  const server = createServer((_request, response) => {
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': body.length,
      'cache-control': 'no-store',
    });
    response.end(body);
  });
  server.listen(0, '127.0.0.1', () => {
    process.send?.({ port: (server.address() as AddressInfo).port });
  });
});
