import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { selfSigned } from '@nudge/server-kit/testing';
import { expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import { freePorts } from '../../support/free-ports.ts';
import { createTempDir } from '../../support/temp-dir.ts';
import { waitFor } from '../../support/wait-for.ts';
import { launch } from './support/app-process.ts';

/** The common name of the certificate that a new connection is shown; rejects where TLS is not spoken. */
function shownAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.end();
    });
    socket.on('error', reject);
  });
}

it.each([
  ['api', {}],
  ['sync', {}],
  ['gateway', {}],
  ['gateway', { GATEWAY_WORKERS: '2' }],
] as const)(
  '%s %j: every public listener speaks TLS and follows the files',
  async (app, env) => {
    await using dir = await createTempDir('tls');
    await using database = await createTestDatabase();
    const [TLS_CERT, TLS_KEY] = [join(dir.path, 'tls.crt'), join(dir.path, 'tls.key')];
    const write = async (name: string) => {
      const { cert, key } = selfSigned(name);
      for (const [path, text] of [[TLS_CERT, cert] as const, [TLS_KEY, key] as const]) {
        await writeFile(`${path}.next`, text);
        await rename(`${path}.next`, path);
      }
    };
    await write('first');
    const port = await freePorts(20);
    const ports = 'GATEWAY_WORKERS' in env ? [port, port + 1] : [port];
    const listening = { PORT: String(port), OPS_PORT: String(port + 10) };
    await using child = await launch(app, { DATABASE_URL: database.connectionString, TLS_CERT, TLS_KEY, ...listening, ...env });
    for (const one of ports) await waitFor(`TLS on ${one}`, async () => (await shownAt(one)) === 'first', { timeoutMs: 30_000 });
    for (const one of ports) await expect(fetch(`http://127.0.0.1:${one}/healthz`), 'nothing but TLS').rejects.toThrow();
    await write('second');
    for (const one of ports) await waitFor('the new certificate', async () => (await shownAt(one)) === 'second', { timeoutMs: 20_000 });
    expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  },
  90_000,
);
