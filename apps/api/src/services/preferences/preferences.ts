import { type Clock, NudgeError, type Router } from '@nudge/server-kit';
import { type JsonObject, type Limits, type Preferences, preferencesSchema } from '@nudge/types';
import type { ConversationStore } from '../../store/conversation-store.ts';
import type { UserStore } from '../../store/user-store.ts';
import type { Publisher } from '../publisher/publisher.ts';

/** What is to change. Absent and null leave a field; a time that is not ahead, false and `{}` clear it. */
export interface PreferencesPatch {
  /** RFC 3339 with any precision and offset. */
  readonly mutedUntil?: string | null | undefined;
  readonly archived?: boolean | null | undefined;
  readonly pinned?: boolean | null | undefined;
  readonly draft?: JsonObject | null | undefined;
}

export interface ConversationPreferencesOptions {
  readonly router: Router<ConversationStore>;
  readonly users: Pick<UserStore, 'applyFeed' | 'feedState' | 'feedVersion'>;
  readonly publisher: Pick<Publisher, 'announceFeeds'>;
  readonly limits: Pick<Limits, 'draftBytes'>;
  readonly clock: Clock;
}

/** The last time that has a name of three decimals: an offset can carry a time of the year 9999 beyond it. */
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** What is shown to the user: the feed's own bookkeeping is left out. */
const shownSchema = preferencesSchema.strip();

/** A member's own settings of a conversation: one row of its feed, so that all its devices have the same. */
export class ConversationPreferences {
  readonly #options: ConversationPreferencesOptions;

  constructor(options: ConversationPreferencesOptions) {
    this.#options = options;
  }

  /** Changes the settings and answers all of them. Throws `not_found` for who is no member, `too_large`. */
  async change(appId: string, userId: string, conversationId: string, patch: PreferencesPatch): Promise<Preferences> {
    const { router, users, publisher } = this.#options;
    const change = this.#changeOf(patch);
    const standing = await router.route(conversationId).pool.standing({ appId, conversationId, userId });
    if (standing === null || !standing.current) throw new NudgeError('not_found');
    const subject = `pref/${conversationId}`;
    if (Object.keys(change).length > 0) {
      const [version] = await users.applyFeed([{ appId, userId, subject, srcVersion: null, state: JSON.stringify(change), merge: true }]);
      // What stood so already is told again: whoever wrote it may have died before telling anybody.
      await publisher.announceFeeds([{ appId, userId, version: version ?? (await users.feedVersion(appId, userId)) }]);
    }
    const state = await users.feedState(appId, userId, subject);
    return shownSchema.parse(state === null ? {} : JSON.parse(state));
  }

  /** What is merged into the row; null takes a key away. */
  #changeOf({ mutedUntil, archived, pinned, draft }: PreferencesPatch): Record<string, unknown> {
    const { limits, clock } = this.#options;
    const change: Record<string, unknown> = {};
    if (mutedUntil !== undefined && mutedUntil !== null) {
      const until = Date.parse(mutedUntil);
      change.mutedUntil = until > clock.now() ? new Date(Math.min(until, LAST_TIME)).toISOString() : null;
    }
    if (archived !== undefined && archived !== null) change.archived = archived || null;
    if (pinned !== undefined && pinned !== null) change.pinned = pinned || null;
    if (draft !== undefined && draft !== null) {
      const bytes = Buffer.byteLength(JSON.stringify(draft));
      if (bytes > limits.draftBytes) {
        throw new NudgeError('too_large', { detail: `draft of ${bytes} bytes; at most ${limits.draftBytes} (draftBytes)` });
      }
      change.draft = Object.keys(draft).length === 0 ? null : draft;
    }
    return change;
  }
}
