import { backoffMs, REQUEST_BACKOFF } from './backoff.ts';
import type { Clock } from './clock.ts';
import { asNudgeError, NudgeError } from './errors.ts';
import type { Tokens } from './tokens.ts';

/** One call of the HTTP API. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly body?: unknown;
  /** A pull, which may have been led to by a key of a send that is traced. */
  readonly pull?: true;
}

/** An answer of 2xx with its JSON. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface HttpDeps {
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  readonly random: () => number;
  readonly tokens: Tokens;
  /** One try gives up after this long, body included, ms. */
  readonly timeoutMs: number;
}

/** HTTP with the user's token, time limits, and repetition of what may be repeated. */
export class Http {
  readonly #deps: HttpDeps;
  readonly #closed = new AbortController();
  /** Goes with the next pull, once. */
  traceparent: string | undefined;

  constructor(deps: HttpDeps) {
    this.#deps = deps;
  }

  /** Ends every request and wait in progress with `closed`. */
  close(): void {
    this.#closed.abort();
  }

  /** One try; a second one only with a new token after a 401. Rejects with {@link NudgeError}. */
  async once(request: HttpRequest, signal?: AbortSignal): Promise<HttpAnswer> {
    const { tokens } = this.#deps;
    const token = await tokens.current();
    try {
      return await this.#try(request, token, signal);
    } catch (error) {
      if (!(error instanceof NudgeError) || error.status !== 401 || !tokens.renewable) throw error;
      return await this.#try(request, await tokens.renew(token), signal);
    }
  }

  /**
   * Repeats a request that is safe to repeat until `read` accepts its answer, with full jitter and no sooner than `Retry-After`. Rejects
   * when the failure is final, when `signal` fires or when the client closes.
   */
  async untilAnswered<T>(request: HttpRequest, read: (body: unknown) => T, signal?: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return read((await this.once(request, signal)).body);
      } catch (caught) {
        const error = asNudgeError(caught);
        if (!error.retryable) throw error;
        await this.#wait(backoffMs(REQUEST_BACKOFF, attempt, this.#deps.random(), error.retryAfterMs), signal);
      }
    }
  }

  async #try({ method, url, body, pull }: HttpRequest, token: string, signal?: AbortSignal): Promise<HttpAnswer> {
    this.#refuseIfOver(signal);
    const { fetch, clock, timeoutMs } = this.#deps;
    const traceparent = pull ? this.traceparent : undefined;
    if (pull) this.traceparent = undefined;
    const stop = new AbortController();
    const abort = () => stop.abort();
    let timedOut = false;
    const cancelTimer = clock.after(timeoutMs, () => {
      timedOut = true;
      abort();
    });
    this.#closed.signal.addEventListener('abort', abort);
    signal?.addEventListener('abort', abort);
    try {
      const response = await fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(traceparent === undefined ? {} : { traceparent }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: stop.signal,
      });
      const text = await response.text();
      if (!response.ok) throw problem(response, text, clock.now());
      return { status: response.status, body: parse(text) };
    } catch (error) {
      if (error instanceof NudgeError) throw error;
      this.#refuseIfOver(signal, error);
      if (timedOut) throw new NudgeError('timeout', `no answer within ${timeoutMs} ms`, { retryable: true, cause: error });
      throw asNudgeError(error);
    } finally {
      cancelTimer();
      this.#closed.signal.removeEventListener('abort', abort);
      signal?.removeEventListener('abort', abort);
    }
  }

  #refuseIfOver(signal: AbortSignal | undefined, cause?: unknown): void {
    if (this.#closed.signal.aborted) throw new NudgeError('closed', 'the client was closed', { retryable: false, cause });
    if (signal?.aborted) throw new NudgeError('aborted', 'the request was aborted', { retryable: false, cause });
  }

  async #wait(ms: number, signal?: AbortSignal): Promise<void> {
    this.#refuseIfOver(signal);
    await new Promise<void>((resolve) => {
      const done = () => {
        cancel();
        this.#closed.signal.removeEventListener('abort', done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.#deps.clock.after(ms, done);
      this.#closed.signal.addEventListener('abort', done);
      signal?.addEventListener('abort', done);
    });
    this.#refuseIfOver(signal);
  }
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch (cause) {
    throw new NudgeError('bad_answer', 'the answer is not JSON', { retryable: true, cause });
  }
}

/** A failing answer as an error. One that is not a problem document comes from something in between: judged by its status. */
function problem(response: Response, text: string, now: number): NudgeError {
  const retryAfterMs = retryAfter(response.headers.get('retry-after'), now);
  const status = response.status;
  const document = problemDocument(text);
  if (document === undefined) {
    const retryable = status === 408 || status === 429 || status >= 500;
    return new NudgeError('bad_answer', `HTTP ${status} without a problem document`, { retryable, status, retryAfterMs });
  }
  const { code, retryable, requestId } = document;
  return new NudgeError(code as NudgeError['code'], document.title, {
    retryable,
    status,
    retryAfterMs,
    ...(requestId === undefined ? {} : { requestId }),
  });
}

interface ProblemDocument {
  readonly code: string;
  readonly title: string;
  readonly retryable: boolean;
  readonly requestId: string | undefined;
}

function problemDocument(text: string): ProblemDocument | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, title, detail, retryable, requestId } = value as Record<string, unknown>;
  if (typeof code !== 'string' || typeof retryable !== 'boolean') return undefined;
  const said = [title, detail].filter((part) => typeof part === 'string').join(': ');
  return { code, title: said === '' ? code : said, retryable, requestId: typeof requestId === 'string' ? requestId : undefined };
}

/** `Retry-After` (RFC 9110, section 10.2.3) in ms: seconds or a date. */
function retryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
