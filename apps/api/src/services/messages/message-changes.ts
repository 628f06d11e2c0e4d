import type { ActingType, JsonObject, Limits } from '@nudge/types';
import type { Appender } from '../appender/appender.ts';
import { refusal } from '../appender/refusal.ts';
import type { Actor } from '../conversations/actor.ts';
import type { Change } from '../conversations/change.ts';
import { bodyText, contentHash, extraText } from './content.ts';
import type { ContentSecrets } from './content-secrets.ts';

/** What an edit replaces a message with, as it came. */
export interface Edit {
  readonly body: JsonObject;
  readonly mentions?: readonly string[] | null | undefined;
  readonly clientMsgId?: string | null | undefined;
  readonly ifStateSeq?: number | null | undefined;
}

export interface MessageChangesOptions {
  readonly appender: Appender;
  readonly secrets: ContentSecrets;
  readonly limits: Pick<Limits, 'messageBodyBytes' | 'reactionsPerMessage' | 'pinsPerConversation'>;
}

/** What is done to messages: one acting entry each, judged by the append, which folds it into its target. */
export class MessageChanges {
  readonly #options: MessageChangesOptions;

  constructor(options: MessageChangesOptions) {
    this.#options = options;
  }

  /** Throws what `refusal` names, and `too_large`. */
  async edit(actor: Actor, seq: number, edit: Edit): Promise<Change> {
    const { secrets, limits } = this.#options;
    const { mentions, clientMsgId = null, ifStateSeq } = edit;
    const body = bodyText(edit.body, limits);
    const fields = { type: 'message.edited', target: seq, mentions, ifStateSeq };
    return this.#act(actor, 'message.edited', seq, {
      body,
      extra: extraText({ mentions, ifStateSeq }),
      clientMsgId,
      contentHash: clientMsgId === null ? null : contentHash(await secrets.of(actor.appId), clientMsgId, body, fields),
      ...(mentions === null || mentions === undefined ? {} : { mentions }),
    });
  }

  redact(actor: Actor, seq: number): Promise<Change> {
    return this.#act(actor, 'message.redacted', seq);
  }

  /** `emoji` in its one spelling. */
  react(actor: Actor, seq: number, emoji: string, present: boolean): Promise<Change> {
    const extra = present ? extraText({ atMost: this.#options.limits.reactionsPerMessage }) : null;
    return this.#act(actor, present ? 'reaction.added' : 'reaction.removed', seq, { body: JSON.stringify({ emoji }), extra });
  }

  pin(actor: Actor, seq: number, pinned: boolean): Promise<Change> {
    const extra = pinned ? extraText({ atMost: this.#options.limits.pinsPerConversation }) : null;
    return this.#act(actor, pinned ? 'message.pinned' : 'message.unpinned', seq, { extra });
  }

  async #act(
    actor: Actor,
    type: ActingType,
    targetSeq: number,
    content: {
      readonly body?: string;
      readonly extra?: string | null;
      readonly clientMsgId?: string | null;
      readonly contentHash?: Buffer | null;
      readonly mentions?: readonly string[];
    } = {},
  ): Promise<Change> {
    const { appId, userId, conversationId, mode = 'interactive' } = actor;
    const result = await this.#options.appender.append({
      appId,
      conversationId,
      senderId: userId,
      clientMsgId: null,
      contentHash: null,
      type,
      body: null,
      extra: null,
      targetSeq,
      countable: false,
      mode,
      ...content,
    });
    if (result.status === 'unchanged') return { seq: null, changed: false };
    if (result.status !== 'ok' && result.status !== 'duplicate') throw refusal(result, type);
    return { seq: result.seq, changed: true };
  }
}
