import type { UserStore } from '../../store/user-store.ts';
import { ContentSecret } from './content-secret.ts';

/**
 * The secret with which an app's contents are compared. It is kept with the app in the database, so that every instance and every restart
 * has the same; it never changes, because stored hashes are compared with it for ever.
 */
export class ContentSecrets {
  readonly #users: Pick<UserStore, 'contentSecret'>;
  readonly #known = new Map<string, ContentSecret>();
  readonly #flights = new Map<string, Promise<ContentSecret>>();

  constructor(users: Pick<UserStore, 'contentSecret'>) {
    this.#users = users;
  }

  /** Synchronous once known. `appId` is that of a verified token: there are as many as there are apps. */
  of(appId: string): ContentSecret | Promise<ContentSecret> {
    return this.#known.get(appId) ?? this.#flights.get(appId) ?? this.#load(appId);
  }

  #load(appId: string): Promise<ContentSecret> {
    const flight = this.#users
      .contentSecret(appId)
      .then((secret) => {
        const key = new ContentSecret(Buffer.from(secret, 'base64url'));
        this.#known.set(appId, key);
        return key;
      })
      .finally(() => this.#flights.delete(appId));
    this.#flights.set(appId, flight);
    return flight;
  }
}
