import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ConfigError } from '../config.ts';

/** Paths of a certificate and its key, both in PEM. */
export interface TlsFiles {
  /** `TLS_CERT`: the server's certificate first, those that vouch for it after it. */
  readonly cert: string;
  /** `TLS_KEY`, without a passphrase. */
  readonly key: string;
}

/** A certificate and its key that belong together. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly notAfter: Date;
}

/** What was found in the files, whether it can be used or not. `digest` tells one content from another. */
export interface TlsContent {
  readonly digest: string;
  /** @throws ConfigError that names the variable at fault, without what its file holds */
  pair(): TlsPair;
}

/** Reads both files. Rejects with a {@link ConfigError} that names the variable whose file cannot be read. */
export async function readTlsContent(files: TlsFiles): Promise<TlsContent> {
  const cert = await read('TLS_CERT', files.cert);
  const key = await read('TLS_KEY', files.key);
  const digest = createHash('sha256').update(cert).update('\0').update(key).digest('base64');
  return { digest, pair: () => checkPair(cert, key) };
}

async function read(variable: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new ConfigError(variable, `names a file that cannot be read (${code})`);
  }
}

function checkPair(cert: Buffer, key: Buffer): TlsPair {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    throw new ConfigError('TLS_CERT', 'names a file that holds no certificate in PEM');
  }
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    throw new ConfigError('TLS_KEY', 'names a file that holds no private key in PEM, or one with a passphrase');
  }
  if (!certificate.checkPrivateKey(privateKey)) throw new ConfigError('TLS_KEY', 'is not the key of the certificate in TLS_CERT');
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new ConfigError('TLS_CERT', `names a file that OpenSSL refuses (${code})`);
  }
  return { cert, key, notAfter: certificate.validToDate };
}
