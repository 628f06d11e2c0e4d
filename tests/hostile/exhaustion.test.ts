import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startSystem } from '../support/system.ts';
import { waitFor } from '../support/wait-for.ts';

/** What all share must not be used up by one: bodies that never end, and offers of protocols nobody speaks. */
const TOGETHER = 60;
const EACH = 20;

/** A POST of which only the head and one byte of the body were sent. */
function halfSent(url: URL, token: string): Socket {
  const socket = connect(Number(url.port), url.hostname);
  socket.on('error', () => undefined);
  socket.write(
    `POST /v1/sync HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{`,
  );
  return socket;
}

test('half-sent requests of one user leave room for everybody else', async () => {
  await using system = await startSystem({
    env: { LIMIT_REQUESTS_IN_FLIGHT: String(TOGETHER), LIMIT_REQUESTS_IN_FLIGHT_PER_USER: String(EACH) },
  });
  const url = new URL(system.url);
  const sync = (user: string) =>
    fetch(`${system.url}/v1/sync`, {
      method: 'POST',
      headers: { authorization: `Bearer ${system.app.token(user)}`, 'content-type': 'application/json' },
      body: '{}',
    });
  expect((await sync('mallory')).status).toBe(200);
  const sockets = Array.from({ length: TOGETHER * 2 }, () => halfSent(url, system.app.token('mallory')));
  try {
    // The fault has fired when the one who floods is refused.
    const refused = await waitFor('the user to be refused', async () => {
      const answer = await sync('mallory');
      return answer.status === 429 ? ((await answer.json()) as { code: string; detail: string }) : undefined;
    });
    expect(refused).toMatchObject({ code: 'rate_limited', detail: expect.stringContaining('requestsInFlightPerUser') });
    expect((await sync('alice')).status).toBe(200);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  await waitFor('the places to be free again', async () => (await sync('mallory')).status === 200);
});

test('an offer of another protocol is ignored', async () => {
  await using system = await startSystem();
  const url = new URL(system.url);
  const socket = connect(Number(url.port), url.hostname);
  const text = await new Promise<string>((resolve, reject) => {
    socket.once('data', (data) => resolve(data.toString())).once('error', reject);
    socket.write(
      `GET /healthz HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n`,
    );
  });
  socket.destroy();
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
});
