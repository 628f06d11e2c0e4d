import { NudgeError } from '@nudge/server-kit';
import type { UserStore } from '../store/user-store.ts';

/** A cursor into a log of the user or the app. */
export interface LogCursor {
  readonly after: number;
  readonly min?: number | null | undefined;
}

/** The user's feed and the app's broadcasts, as JSON text. Both come from the primary: what it has reached is what there is. */
export class UserLogs {
  readonly #users: UserStore;
  readonly #pageEntries: number;

  constructor(users: UserStore, pageEntries: number) {
    this.#users = users;
    this.#pageEntries = pageEntries;
  }

  /**
   * `version` is where the client goes on: the end of the feed, or of this page while there is more.
   *
   * @throws NudgeError `seq_ahead`
   */
  async feed(appId: string, userId: string, cursor: LogCursor): Promise<string> {
    const page = await this.#users.readFeed(appId, userId, cursor.after, this.#pageEntries);
    refuseAhead('feed', cursor, page.version);
    const version = page.more ? (page.rows.at(-1)?.version ?? page.version) : page.version;
    const items = page.rows.map((row) => `{"subject":${JSON.stringify(row.subject)},"version":${row.version},"state":${row.state}}`);
    return `{"version":${version},"more":${page.more},"items":[${items.join(',')}]}`;
  }

  /** @throws NudgeError `seq_ahead` */
  async app(appId: string, cursor: LogCursor): Promise<string> {
    const page = await this.#users.readAppLog(appId, cursor.after, this.#pageEntries);
    refuseAhead('app', cursor, page.head);
    return `{"entries":[${page.entries.join(',')}],"head":${page.head},"more":${page.more}}`;
  }
}

/** These logs have no place for an error of their own in the answer, so the request fails and names the one at fault. */
function refuseAhead(log: 'feed' | 'app', { after, min }: LogCursor, head: number): void {
  const ahead = after > head ? 'after' : (min ?? 0) > head ? 'min' : undefined;
  if (ahead === undefined) return;
  throw new NudgeError('seq_ahead', { issues: [{ path: `body.${log}.${ahead}`, message: `the log ends at ${head}` }] });
}
