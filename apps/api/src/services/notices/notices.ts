import { randomUUID } from 'node:crypto';
import { NudgeError } from '@nudge/server-kit';
import type { JsonObject, Limits } from '@nudge/types';
import { z } from 'zod';
import type { UserStore } from '../../store/user-store.ts';
import type { Publisher } from '../publisher/publisher.ts';

const stateSchema = z.object({ body: z.unknown() });

export interface NoticesOptions {
  readonly users: Pick<UserStore, 'applyFeed' | 'feedState' | 'feedVersion' | 'unknownUsers'>;
  readonly publisher: Pick<Publisher, 'announceFeeds'>;
  readonly limits: Pick<Limits, 'messageBodyBytes'>;
}

/** Notices of the integrator in users' feeds: `notice/<id>` `{body}`, the body null once dismissed. */
export class Notices {
  readonly #options: NoticesOptions;

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /** Puts a notice there, in place of one with the same id. Throws `not_found` for a user who does not exist, `too_large`. */
  async create(appId: string, userId: string, noticeId: string | null | undefined, body: JsonObject): Promise<string> {
    const { users, limits } = this.#options;
    const state = JSON.stringify({ body });
    const bytes = Buffer.byteLength(JSON.stringify(body));
    if (bytes > limits.messageBodyBytes) {
      throw new NudgeError('too_large', { detail: `body of ${bytes} bytes; at most ${limits.messageBodyBytes} (messageBodyBytes)` });
    }
    if ((await users.unknownUsers(appId, [userId])).length > 0) throw new NudgeError('not_found', { detail: 'There is no such user' });
    const id = noticeId?.toLowerCase() ?? randomUUID();
    await this.#write(appId, userId, id, state);
    return id;
  }

  /** Whether it was there still. Throws `not_found` for one that the user never had. */
  async dismiss(appId: string, userId: string, noticeId: string): Promise<boolean> {
    const id = noticeId.toLowerCase();
    const state = await this.#options.users.feedState(appId, userId, subjectOf(id));
    if (state === null) throw new NudgeError('not_found');
    if (stateSchema.parse(JSON.parse(state)).body === null) return false;
    return this.#write(appId, userId, id, '{"body":null}');
  }

  async #write(appId: string, userId: string, id: string, state: string): Promise<boolean> {
    const { users, publisher } = this.#options;
    const write = { appId, userId, subject: subjectOf(id), srcVersion: null, state, merge: false };
    const [version] = await users.applyFeed([write]);
    // One that stood so already is told again: whoever wrote it may have died before telling anybody.
    await publisher.announceFeeds([{ appId, userId, version: version ?? (await users.feedVersion(appId, userId)) }]);
    return version !== null && version !== undefined;
  }
}

const subjectOf = (noticeId: string): string => `notice/${noticeId}`;
