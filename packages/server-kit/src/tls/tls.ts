import type { SecureContextOptions } from 'node:tls';
import { type Clock, systemClock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { readTlsContent, type TlsContent, type TlsFiles, type TlsPair } from './tls-pair.ts';

export interface TlsOptions {
  readonly files: TlsFiles;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  /** How often the files are looked at, ms. */
  readonly pollMs?: number;
}

/** What of a TLS server a new certificate is given to. */
export interface TlsServer {
  setSecureContext(options: SecureContextOptions): void;
}

/** The certificate in use. Disposing ends the watch over the files. */
export interface Tls extends AsyncDisposable {
  /** For a new server. */
  context(): SecureContextOptions;
  /** Gives every later certificate to this server as well. Connections that are open keep theirs. */
  follow(server: TlsServer): void;
}

/**
 * Files are read anew rather than watched for events: those do not tell of a swapped link above the file (as mounted secrets are renewed) on
 * every system, nor of network file systems. Two small files every 5 s cost nothing that can be measured.
 */
const defaultPollMs = 5_000;

/** Reads the pair and goes on looking at it. Rejects with a `ConfigError` that names the variable at fault. */
export async function openTls(options: TlsOptions): Promise<Tls> {
  const content = await readTlsContent(options.files);
  return new ReloadingTls(options, content, content.pair());
}

class ReloadingTls implements Tls {
  readonly #options: TlsOptions;
  readonly #clock: Clock;
  readonly #servers: TlsServer[] = [];
  readonly #failures: { inc(): void };
  #pair: TlsPair;
  /** The content in use. */
  #used: string;
  /** The content that was last looked at, or why it could not be. */
  #seen: string;
  #cancel: (() => void) | undefined;
  #reading: Promise<void> | undefined;
  #stopped = false;

  constructor(options: TlsOptions, content: TlsContent, pair: TlsPair) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#pair = pair;
    this.#used = content.digest;
    this.#seen = content.digest;
    this.#failures = options.metrics.counter({
      name: 'nudge_tls_reload_failures_total',
      help: 'New certificates or keys that could not be used',
    });
    options.metrics.gauge({
      name: 'nudge_tls_certificate_not_after_seconds',
      help: 'When the certificate in use ends, seconds since 1970',
      collect: () => this.#pair.notAfter.getTime() / 1_000,
    });
    this.#warnOfAge();
    this.#arm();
  }

  context(): SecureContextOptions {
    return { cert: this.#pair.cert, key: this.#pair.key, minVersion: 'TLSv1.2' };
  }

  follow(server: TlsServer): void {
    this.#servers.push(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#reading;
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#cancel = this.#clock.after(this.#options.pollMs ?? defaultPollMs, () => {
      this.#reading = this.#look().finally(() => this.#arm());
    });
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { files, log } = this.#options;
    let found: string | undefined;
    try {
      const content = await readTlsContent(files);
      found = content.digest;
      if (found !== this.#seen && found !== this.#used) {
        this.#use(content.pair());
        this.#used = found;
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown';
      found ??= reason;
      // Told once, not at every look.
      if (found !== this.#seen) {
        this.#failures.inc();
        log.error({ err: error, reason }, 'the new TLS certificate cannot be used: the old one stays');
      }
    }
    this.#seen = found;
  }

  #use(pair: TlsPair): void {
    if (this.#hasExpired(pair) && !this.#hasExpired(this.#pair)) throw new Error('the certificate has expired already');
    this.#pair = pair;
    for (const server of this.#servers) server.setSecureContext(this.context());
    this.#options.log.info('the TLS certificate was renewed');
    this.#warnOfAge();
  }

  #hasExpired({ notAfter }: TlsPair): boolean {
    return notAfter.getTime() < this.#clock.now();
  }

  #warnOfAge(): void {
    if (this.#hasExpired(this.#pair)) this.#options.log.warn('the TLS certificate has expired');
  }
}
