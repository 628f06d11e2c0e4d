/** Baseline: an Express 5 POST that parses a message and answers a seq, without a database. What a send costs before it does anything. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';

const app = express();
app.disable('x-powered-by');
app.disable('etag');
let seq = 0;
app.post('/v1/conversations/:conversationId/messages', express.json(), (request, response) => {
  seq += 1;
  response.status(201).json({ conversationId: request.params.conversationId, seq, createdAt: new Date().toISOString(), asSent: true });
});

const server = createServer(app);
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
