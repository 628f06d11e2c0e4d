import type { Conversation, Preferences } from '@nudge/types';
import type { Answer, ChangeAnswer, Fields } from './caller.ts';
import { UserCalls } from './users.ts';

/** Conversations and one's own settings of them. */
export abstract class ConversationCalls extends UserCalls {
  /** The conversation as it is now; a view that is held takes it over. */
  async conversation(conversationId: string): Promise<Conversation> {
    const path = `/v1/conversations/${encodeURIComponent(conversationId)}` as const;
    const { conversation } = (await this.call('GET', path)) as Answer<'getConversation'>;
    this.described(conversation);
    return conversation;
  }

  /** Title, avatar, metadata, read-only, slow mode, retention. What is absent stays; `''` and `{}` clear, 0 switches off. */
  updateConversation(conversationId: string, fields: Fields<'updateConversation'>): Promise<ChangeAnswer> {
    return this.change('PATCH', conversationId, '', fields);
  }

  /** Mute, archive, pin and draft, for oneself, on all devices. What is absent stays. */
  async setPreferences(conversationId: string, fields: Fields<'updatePreferences'>): Promise<Preferences> {
    const path = `/v1/conversations/${encodeURIComponent(conversationId)}/preferences` as const;
    return ((await this.call('PATCH', path, fields)) as Answer<'updatePreferences'>).preferences;
  }

  /** What the server says of a conversation. */
  protected abstract described(conversation: Conversation): void;
}
