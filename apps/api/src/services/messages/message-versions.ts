import { NudgeError, type Router } from '@nudge/server-kit';
import type { JsonObject } from '@nudge/types';
import type { ConversationStore, EntryKey } from '../../store/conversation-store.ts';

/** What a message said at one time. */
export interface MessageVersion {
  readonly body: JsonObject;
  readonly mentions?: string[];
  /** RFC 3339. */
  readonly writtenAt: string;
}

/** What messages said before they were edited; for moderation by the integrator. */
export class MessageVersions {
  readonly #router: Router<ConversationStore>;

  constructor(router: Router<ConversationStore>) {
    this.#router = router;
  }

  /** Oldest first, the present one last; none of a redacted message. Throws `not_found` when there is no such message in the app. */
  async page(entry: EntryKey, cursor: number, limit: number): Promise<{ versions: MessageVersion[]; nextCursor?: number }> {
    const page = await this.#router.route(entry.conversationId).pool.versions(entry, cursor, limit);
    if (page === null) throw new NudgeError('not_found');
    const versions = page.versions.map(({ body, mentions, writtenAt }) => ({
      body: body as JsonObject,
      writtenAt,
      ...(mentions === null ? {} : { mentions: [...mentions] }),
    }));
    const last = page.versions.at(-1)?.editSeq ?? null;
    return page.more && last !== null ? { versions, nextCursor: last } : { versions };
  }
}
