import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../log.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { startServer } from '../testing/fixtures/test-server.ts';
import { eventually } from '../testing/index.ts';
import { type SelfSigned, selfSigned } from '../testing/self-signed.ts';
import { openTls } from './tls.ts';

let dir: string;
let stack: AsyncDisposableStack;
let metrics: Metrics;
let lines: string;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  dir = await mkdtemp(join(tmpdir(), 'nudge-tls-'));
  stack.defer(() => rm(dir, { recursive: true }));
  metrics = stack.use(createMetrics());
  lines = '';
});
afterEach(() => stack.disposeAsync());

const keep = (line: string) => {
  lines += line;
};
const log = createLogger({ name: 'test', destination: { write: keep } });
/** At once: who reads in between would find an empty file. */
const put = async (file: string, text: string) => {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
};
const write = async (pair: SelfSigned) => {
  await put(join(dir, 'tls.crt'), pair.cert);
  await put(join(dir, 'tls.key'), pair.key);
};
const files = () => ({ cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') });
const open = async (of = files()) => stack.use(await openTls({ files: of, log, metrics, pollMs: 10 }));
const serve = async (of = files()) => stack.use(await startServer({ tls: await open(of) }));

/** The common name that a new connection is shown. */
function shownBy(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.end();
    });
    socket.on('error', reject);
  });
}

function get(url: string, ca: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { ca }, (res) => {
      res.resume();
      resolve(res.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

describe('a server with a certificate', () => {
  it('speaks TLS 1.2 or newer, and nothing else on the same port', async () => {
    const pair = selfSigned('one');
    await write(pair);
    const { url } = await serve();
    expect(url).toMatch(/^https:/);
    expect(await get(`${url}/healthz`, pair.cert)).toBe(200);
    const port = Number(new URL(url).port);
    const old = new Promise((_, reject) => {
      connect({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        ciphers: 'ALL:@SECLEVEL=0',
      }).on('error', reject);
    });
    await expect(old).rejects.toThrow(/protocol version|handshake failure|unsupported protocol/);
    const plain = createConnection(port, '127.0.0.1');
    let answer = '';
    plain
      .on('error', () => plain.destroy())
      .on('data', (chunk: Buffer) => {
        answer += chunk.toString('latin1');
      });
    plain.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => plain.on('close', resolve));
    expect(answer).not.toContain('200 OK');
    expect(await get(`${url}/healthz`, pair.cert)).toBe(200);
  });

  it('shows a renewed certificate to new connections', async () => {
    await write(selfSigned('one'));
    const { url } = await serve();
    expect(await shownBy(url)).toBe('one');
    const two = selfSigned('two');
    await write(two);
    await eventually(async () => (await shownBy(url)) === 'two');
    expect(await get(`${url}/healthz`, two.cert)).toBe(200);
    expect(lines).toContain('the TLS certificate was renewed');
  });

  it('follows links that are swapped above the files, as mounted secrets are', async () => {
    const version = async (name: string) => {
      await mkdir(join(dir, `..${name}`));
      const { cert, key } = selfSigned(name);
      await writeFile(join(dir, `..${name}`, 'tls.crt'), cert);
      await writeFile(join(dir, `..${name}`, 'tls.key'), key);
      await symlink(`..${name}`, join(dir, '..next'));
      await rename(join(dir, '..next'), join(dir, '..data'));
    };
    await version('first');
    await symlink('..data/tls.crt', join(dir, 'tls.crt'));
    await symlink('..data/tls.key', join(dir, 'tls.key'));
    const { url } = await serve();
    expect(await shownBy(url)).toBe('first');
    await version('second');
    await eventually(async () => (await shownBy(url)) === 'second');
  });

  it('keeps the old one, and says so once, when the new one is broken, and takes the next good one', async () => {
    await write(selfSigned('one'));
    const { url } = await serve();
    const failures = async () => Number(/^nudge_tls_reload_failures_total (\d+)/m.exec(await metrics.text())?.[1]);
    await put(files().cert, selfSigned('two').cert);
    await eventually(() => lines.includes('is not the key of the certificate'));
    expect(await shownBy(url)).toBe('one');
    await put(files().cert, 'garbage');
    await eventually(() => lines.includes('holds no certificate'));
    await unlink(files().key);
    await eventually(() => lines.includes('cannot be read (ENOENT)'));
    expect(await shownBy(url)).toBe('one');
    expect(await failures()).toBe(3);
    await write(selfSigned('three'));
    await eventually(async () => (await shownBy(url)) === 'three');
    // Between the two writes the pair may have been looked at.
    expect(await failures()).toBeLessThanOrEqual(4);
    expect(lines).not.toContain('BEGIN');
  });

  it('keeps one that is still good when the new one has expired', async () => {
    await write(selfSigned('good'));
    const { url } = await serve();
    await write(selfSigned('expired', -1));
    await eventually(() => lines.includes('has expired already'));
    expect(await shownBy(url)).toBe('good');
  });

  it('tells when it ends, and warns of one that has', async () => {
    await write(selfSigned('one', -1));
    await open();
    expect(lines).toContain('the TLS certificate has expired');
    const end = Number(/^nudge_tls_certificate_not_after_seconds (\d+)/m.exec(await metrics.text())?.[1]);
    expect(Math.abs(end - (Date.now() / 1_000 - 86_400))).toBeLessThan(60);
  });
});

describe('what cannot be used at the start names the variable at fault', () => {
  const one = selfSigned('one');
  it.each([
    ['no certificate there', undefined, one.key, 'TLS_CERT', 'cannot be read (ENOENT)'],
    ['no key there', one.cert, undefined, 'TLS_KEY', 'cannot be read (ENOENT)'],
    ['no certificate in it', one.key, one.key, 'TLS_CERT', 'holds no certificate'],
    ['no key in it', one.cert, one.cert, 'TLS_KEY', 'holds no private key'],
    ['the key of another', one.cert, selfSigned('two').key, 'TLS_KEY', 'is not the key of the certificate'],
  ])('%s', async (_, cert, key, variable, message) => {
    if (cert !== undefined) await writeFile(files().cert, cert);
    if (key !== undefined) await writeFile(files().key, key);
    await expect(open()).rejects.toMatchObject({ variable, message: expect.stringContaining(message) });
  });
});
