import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { selfSigned } from '@nudge/server-kit/testing';
import { SOCKET_PATH } from '@nudge/types';
import { io } from 'socket.io-client';
import { expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import { createTempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';
import { launch } from './support/app-process.ts';

/** The common name of the certificate shown to a new connection. */
function shownBy(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.end();
    });
    socket.on('error', reject);
  });
}

function fetchJson(url: string, token: string, ca: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    get(url, { ca, headers: { authorization: `Bearer ${token}` } }, (response) => {
      json(response).then((body) => resolve(body as Record<string, unknown>), reject);
    }).on('error', reject);
  });
}

it('https and wss with a certificate that is renewed by swapping a link, without a restart and without losing a socket', async () => {
  await using dir = await createTempDir('tls');
  await using database = await createTestDatabase();
  const renew = async (name: string, pair = selfSigned(name)) => {
    await mkdir(join(dir.path, `..${name}`));
    await writeFile(join(dir.path, `..${name}`, 'tls.crt'), pair.cert);
    await writeFile(join(dir.path, `..${name}`, 'tls.key'), pair.key);
    await symlink(`..${name}`, join(dir.path, '..next'));
    await rename(join(dir.path, '..next'), join(dir.path, '..data'));
    return pair;
  };
  const first = await renew('first');
  for (const file of ['tls.crt', 'tls.key']) await symlink(`..data/${file}`, join(dir.path, file));
  await using child = await launch('standalone', {
    DATA_DIR: dir.path,
    DATABASE_URL: database.connectionString,
    TLS_CERT: join(dir.path, 'tls.crt'),
    TLS_KEY: join(dir.path, 'tls.key'),
  });
  await child.waitForLine(/^Nudge is ready at https:/, 60_000);
  await child.waitForLine(/^The same as JSON/);
  const session = JSON.parse(await readFile(join(dir.path, 'demo.json'), 'utf8')) as { url: string; users: { token: string }[] };
  const token = session.users[0]?.token ?? '';
  const dispatched = await fetchJson(`${session.url}/v1/gateways`, token, first.cert);
  expect(dispatched).toMatchObject({ sync: session.url, gateways: [{ url: session.url }] });

  const options = { path: SOCKET_PATH, transports: ['websocket'], forceNew: true, reconnection: false };
  const socket = io(session.url, { ...options, ca: first.cert, auth: { token, deviceId: 'old' } });
  let ended = false;
  socket.on('disconnect', () => {
    ended = true;
  });
  try {
    await new Promise((resolve, reject) => socket.once('welcome', resolve).once('connect_error', reject));
    expect(await shownBy(session.url)).toBe('first');

    await renew('broken', { cert: selfSigned('broken').cert, key: first.key });
    await child.waitForLine(/TLS_KEY is not the key of the certificate.*the new TLS certificate cannot be used/);
    expect(await shownBy(session.url)).toBe('first');

    const second = await renew('second');
    await waitFor('the new certificate', async () => (await shownBy(session.url)) === 'second', { timeoutMs: 20_000 });
    const later = io(session.url, { ...options, ca: second.cert, auth: { token, deviceId: 'new' } });
    await new Promise((resolve, reject) => later.once('welcome', resolve).once('connect_error', reject)).finally(() => later.disconnect());
    expect(ended, 'the socket of before').toBe(false);
  } finally {
    socket.disconnect();
  }
  expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
}, 120_000);

it.each([
  ['TLS_KEY is required when TLS_CERT is set', { TLS_CERT: '/nowhere.crt' }],
  ['TLS_CERT is required when TLS_KEY is set', { TLS_KEY: '/nowhere.key' }],
  ['TLS_CERT names a file that cannot be read (ENOENT)', { TLS_CERT: '/nowhere.crt', TLS_KEY: '/nowhere.key' }],
  ['PUBLIC_URL takes an https:// URL', { TLS_CERT: '/nowhere.crt', TLS_KEY: '/nowhere.key', PUBLIC_URL: 'http://chat.example' }],
])('a start that is refused: %s', async (message, env) => {
  await using database = await createTestDatabase();
  await using child = await launch('sync', { DATABASE_URL: database.connectionString, ...env });
  expect(await child.exited).toMatchObject({ code: 1 });
  expect(child.lines.join('\n')).toContain(message);
});
