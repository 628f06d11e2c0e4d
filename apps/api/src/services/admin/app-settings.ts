import type { UserStore } from '../../store/user-store.ts';

/** What an integrator sets for its app. */
export interface AppSettings {
  /** Custom types that count as unread; each entry keeps what was in force when it was appended. */
  readonly countableTypes: string[];
}

/** Settings of apps; every process acts on a change within seconds. */
export class AppsSettings {
  readonly #users: Pick<UserStore, 'countableTypes' | 'setCountableTypes'>;

  constructor(users: Pick<UserStore, 'countableTypes' | 'setCountableTypes'>) {
    this.#users = users;
  }

  /** What is absent stays. Answers all settings. */
  async change(
    appId: string,
    { countableTypes }: { readonly countableTypes?: readonly string[] | null | undefined },
  ): Promise<AppSettings> {
    if (countableTypes !== undefined && countableTypes !== null) {
      await this.#users.setCountableTypes(appId, [...new Set(countableTypes)]);
    }
    return { countableTypes: [...(await this.#users.countableTypes(appId))] };
  }
}
