import type { SessionPolicy } from '@nudge/types';
import type { UserStore } from '../../store/user-store.ts';

/** What an integrator sets for its app. */
export interface AppSettings {
  /** Custom types that count as unread; each entry keeps what was in force when it was appended. */
  readonly countableTypes: string[];
  /** How many sessions a user may have; gateways act on it at the next handshake. */
  readonly sessionPolicy?: SessionPolicy;
}

type Store = Pick<UserStore, 'countableTypes' | 'setCountableTypes' | 'sessionPolicy' | 'setSessionPolicy'>;

/** Settings of apps; every process acts on a change within seconds. */
export class AppsSettings {
  readonly #users: Store;

  constructor(users: Store) {
    this.#users = users;
  }

  /** What is absent stays. Answers all settings. */
  async change(
    appId: string,
    change: { readonly countableTypes?: readonly string[] | null | undefined; readonly sessionPolicy?: SessionPolicy | null | undefined },
  ): Promise<AppSettings> {
    const { countableTypes, sessionPolicy } = change;
    if (countableTypes !== undefined && countableTypes !== null) {
      await this.#users.setCountableTypes(appId, [...new Set(countableTypes)]);
    }
    if (sessionPolicy !== undefined && sessionPolicy !== null) await this.#users.setSessionPolicy(appId, sessionPolicy);
    const [types, policy] = await Promise.all([this.#users.countableTypes(appId), this.#users.sessionPolicy(appId)]);
    return { countableTypes: [...types], ...(policy === null ? {} : { sessionPolicy: policy }) };
  }
}
