import { NudgeError } from './errors.ts';

/** Gives a valid token: called at first use and whenever the present one expires or is refused. */
export type GetToken = () => string | Promise<string>;

/** The token in use. Bound to the first user it sees: cursors and stored entries of one user must never serve another. */
export class Tokens {
  readonly #getToken: GetToken | undefined;
  #token: string | undefined;
  #userId: string | undefined;
  #refreshing: Promise<string> | undefined;

  constructor(source: { token?: string; getToken?: GetToken }) {
    if (source.token === undefined && source.getToken === undefined) {
      throw new NudgeError('no_token', 'give either token or getToken', { retryable: false });
    }
    this.#getToken = source.getToken;
    if (source.token !== undefined) this.#adopt(source.token);
  }

  /** Whether a refused token can be replaced. */
  get renewable(): boolean {
    return this.#getToken !== undefined;
  }

  /** The user the token names; `undefined` before the first token. */
  get userId(): string | undefined {
    return this.#userId;
  }

  /** The app the token is of; `undefined` before the first token. */
  get appId(): string | undefined {
    return this.#token === undefined ? undefined : claimOf(this.#token, 'iss');
  }

  async current(): Promise<string> {
    return this.#token ?? (await this.#fetch());
  }

  /** A token other than `refused`, or {@link NudgeError} when there is none to be had. Concurrent callers share one call of `getToken`. */
  async renew(refused: string): Promise<string> {
    if (this.#token !== undefined && this.#token !== refused) return this.#token;
    const token = await this.#fetch();
    if (token === refused)
      throw new NudgeError('token_invalid', 'the token was refused and getToken gives the same again', { retryable: false });
    return token;
  }

  #fetch(): Promise<string> {
    this.#refreshing ??= this.#ask().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #ask(): Promise<string> {
    const getToken = this.#getToken;
    if (getToken === undefined)
      throw new NudgeError('token_invalid', 'the token was refused and there is no getToken', { retryable: false });
    let token: string;
    try {
      token = await getToken();
    } catch (cause) {
      throw new NudgeError('no_token', 'getToken failed', { retryable: true, cause });
    }
    this.#adopt(token);
    return token;
  }

  #adopt(token: string): void {
    const userId = claimOf(token, 'sub');
    if (userId !== undefined && this.#userId !== undefined && userId !== this.#userId) {
      throw new NudgeError('user_changed', 'the new token is of another user: make a client for each user', { retryable: false });
    }
    this.#userId ??= userId;
    this.#token = token;
  }
}

/** A claim of a token, unverified (the server verifies); `undefined` when it is not a JWT. */
function claimOf(token: string, name: 'sub' | 'iss'): string | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/')));
    const claim = typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>)[name] : undefined;
    return typeof claim === 'string' ? claim : undefined;
  } catch {
    return undefined;
  }
}
