import { NudgeError, type Router } from '@nudge/server-kit';
import type { JsonObject } from '@nudge/types';
import type { ConversationStore } from '../../store/conversation-store.ts';

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
  async of(appId: string, conversationId: string, seq: number): Promise<MessageVersion[]> {
    const versions = await this.#router.route(conversationId).pool.versions(appId, conversationId, seq);
    if (versions === null) throw new NudgeError('not_found');
    return versions.map(({ body, mentions, writtenAt }) => ({
      body: body as JsonObject,
      writtenAt,
      ...(mentions === null ? {} : { mentions: [...mentions] }),
    }));
  }
}
