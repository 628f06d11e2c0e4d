import type { JsonObject, Limits } from '@nudge/types';
import type { Appender } from '../appender/appender.ts';
import { refusal } from '../appender/refusal.ts';
import type { Actor } from './actor.ts';
import type { Change } from './change.ts';
import { metadataText } from './draft.ts';

/** Wanted fields of a conversation. What is absent or null stays; `''` clears a text, `{}` the metadata, 0 switches a bound off. */
export interface ConversationPatch {
  readonly title?: string | null | undefined;
  readonly avatarUrl?: string | null | undefined;
  readonly metadata?: JsonObject | null | undefined;
  readonly frozen?: boolean | null | undefined;
  readonly slowModeSeconds?: number | null | undefined;
  readonly retentionSeconds?: number | null | undefined;
}

export interface ConversationChangesOptions {
  readonly appender: Appender;
  readonly limits: Pick<Limits, 'metadataBytes'>;
}

/** Changes conversations themselves. Who may change what is the append's judgement. */
export class ConversationChanges {
  readonly #options: ConversationChangesOptions;

  constructor(options: ConversationChangesOptions) {
    this.#options = options;
  }

  /** One entry with those of the fields that differ, none when none does. Throws `not_found`, `forbidden`, `too_large`. */
  async update({ appId, conversationId, userId, mode = 'interactive' }: Actor, patch: ConversationPatch): Promise<Change> {
    const { appender, limits } = this.#options;
    // Judged for its size only: it travels with the other fields.
    metadataText(patch.metadata, limits);
    const wanted = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== null && value !== undefined));
    const type = 'conversation.updated';
    const result = await appender.append({
      appId,
      conversationId,
      senderId: userId,
      clientMsgId: null,
      contentHash: null,
      type,
      body: JSON.stringify(wanted),
      extra: null,
      targetSeq: null,
      countable: false,
      mode,
    });
    if (result.status === 'unchanged') return { seq: null, changed: false };
    if (result.status !== 'ok') throw refusal(result, type);
    return { seq: result.seq, changed: true };
  }
}
