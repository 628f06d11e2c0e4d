import { fork } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { httpClient } from '../protocol/support/http.ts';
import { openRawSession, type RawSocket } from '../protocol/support/raw-socket.ts';
import { send } from '../races/support/arena.ts';
import { createTestDatabase } from '../support/database.ts';
import { seedApp } from '../support/seed.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Answer, FloodRequest } from './support/flood.ts';

const SOCKETS = 100;
const USERS = 10;
const LOGS = 150;
/** Together with LOGS less than a session may have pending: nothing needs to collapse into a resync. */
const FLOODED_LOGS = 40;
const BYTES_PER_SOCKET = 64 * 1024;

/** Keys of a frame, if it holds any. */
function keysOf(frame: string): [log: string, position: number][] {
  if (!frame.startsWith('42["notify"')) return [];
  const [, payload] = JSON.parse(frame.slice(2)) as [string, { keys: [string, number][] }];
  return payload.keys;
}

/** The newest position of each log a socket has heard of. */
function positions({ frames }: RawSocket): Map<string, number> {
  return new Map(frames.flatMap(keysOf));
}

/** Promise 19: what a client does not read is coalesced, not queued; when it reads again, it learns where every log stands. */
test('sockets that do not read cost at most 64 KiB each, and converge when they read again', async () => {
  await using database = await createTestDatabase();
  const users = Array.from({ length: USERS }, (_, n) => `user-${n}`);
  const app = await seedApp(database, 'one', { users });
  const child = fork(new URL('./support/flooded-server.ts', import.meta.url), [database.connectionString], {
    execArgv: ['--expose-gc', '--conditions=@nudge/source'],
  });
  const sockets: RawSocket[] = [];
  try {
    const [ready] = (await once(child, 'message')) as [Answer & { kind: 'ready' }];
    const http = httpClient(ready.url);
    const owner = { id: 'user-0', token: app.token('user-0') };
    const ids: string[] = [];
    for (let n = 0; n < LOGS; n += 1) {
      const body = { type: 'group', members: users.slice(1) };
      ids.push((await http.call('createConversation', { token: owner.token, body })).ok(201).conversation.id);
    }
    await Promise.all(ids.map(async (id) => (await send(http, owner, id, 'first')).ok(201)));

    for (let n = 0; n < SOCKETS; n += 1) {
      const raw = await openRawSession(ready.url, app.token(users[n % USERS] ?? ''), `device-${n}`);
      raw.socket.pause();
      sockets.push(raw);
    }
    const request: FloodRequest = { users, logs: FLOODED_LOGS, sockets: SOCKETS, timeoutMs: 30_000 };
    child.send(request);
    const [flooded] = (await once(child, 'message')) as [Answer & { kind: 'flooded' }];
    expect(flooded.blocked, 'sockets that took nothing more').toBeGreaterThanOrEqual(SOCKETS);
    expect(flooded.grownBytes / SOCKETS).toBeLessThan(BYTES_PER_SOCKET);

    await Promise.all(ids.map(async (id) => expect((await send(http, owner, id, 'second')).ok(201).seq).toBe(3)));
    for (const { socket } of sockets) socket.resume();
    for (const raw of sockets) {
      await waitFor(
        'the socket to know where every log stands',
        () => {
          const known = positions(raw);
          return ids.every((id) => known.get(`c/${id}`) === 3);
        },
        { timeoutMs: 30_000, intervalMs: 200 },
      );
    }
    for (const raw of sockets) {
      const flood = raw.frames.flatMap(keysOf).filter(([log]) => log.endsWith('xxx'));
      expect(flood.length, 'coalesced, not queued').toBeLessThan(flooded.rounds * FLOODED_LOGS);
      expect(flood.at(-1)?.[1], 'the newest of the flood').toBe(flooded.rounds);
    }
  } finally {
    for (const raw of sockets) raw[Symbol.dispose]();
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}, 120_000);
