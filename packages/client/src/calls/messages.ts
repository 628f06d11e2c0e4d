import { randomId } from '../random-id.ts';
import { type Answer, type ChangeAnswer, type ListOptions, query } from './caller.ts';
import { MemberCalls } from './members.ts';

/** What an edit may say beside the new body. */
export interface EditOptions {
  /** Users the new version names; absent: nobody. */
  readonly mentions?: readonly string[];
  /** Refuse with `state_changed` unless the entry's `stateSeq` is still this; 0 = never changed. */
  readonly ifStateSeq?: number;
  /** The edit's own name: a repetition under it has no second effect. Default: a random one. */
  readonly clientMsgId?: string;
}

/** What is done to messages, and who did it or has read them. */
export abstract class MessageCalls extends MemberCalls {
  edit(conversationId: string, seq: number, body: Record<string, unknown>, options: EditOptions = {}): Promise<ChangeAnswer> {
    return this.change('PATCH', conversationId, `/messages/${seq}`, { clientMsgId: randomId(), ...options, body });
  }

  /** Removes the content, everywhere and for ever. */
  redact(conversationId: string, seq: number): Promise<ChangeAnswer> {
    return this.change('DELETE', conversationId, `/messages/${seq}`);
  }

  react(conversationId: string, seq: number, emoji: string): Promise<ChangeAnswer> {
    return this.change('PUT', conversationId, `/messages/${seq}/reactions/${encodeURIComponent(emoji)}`);
  }

  unreact(conversationId: string, seq: number, emoji: string): Promise<ChangeAnswer> {
    return this.change('DELETE', conversationId, `/messages/${seq}/reactions/${encodeURIComponent(emoji)}`);
  }

  pin(conversationId: string, seq: number): Promise<ChangeAnswer> {
    return this.change('PUT', conversationId, `/messages/${seq}/pin`);
  }

  unpin(conversationId: string, seq: number): Promise<ChangeAnswer> {
    return this.change('DELETE', conversationId, `/messages/${seq}/pin`);
  }

  /** How far members have read and received; with `seq` also how many have read it. */
  async receipts(conversationId: string, options: ListOptions & { readonly seq?: number } = {}): Promise<Answer<'listReceipts'>> {
    return (await this.call('GET', `${reading(conversationId)}/receipts${query({ ...options })}`)) as Answer<'listReceipts'>;
  }

  /** Who reacted to a message, in order; with `emoji` only with that one. */
  async reactions(
    conversationId: string,
    seq: number,
    options: ListOptions & { readonly emoji?: string } = {},
  ): Promise<Answer<'listReactions'>> {
    return (await this.call(
      'GET',
      `${reading(conversationId)}/entries/${seq}/reactions${query({ ...options })}`,
    )) as Answer<'listReactions'>;
  }

  /** Pinned messages, the newest pin first. */
  async pins(conversationId: string): Promise<Answer<'listPins'>> {
    return (await this.call('GET', `${reading(conversationId)}/pins`)) as Answer<'listPins'>;
  }
}

function reading(conversationId: string): `/v1/${string}` {
  return `/v1/sync/conversations/${encodeURIComponent(conversationId)}`;
}
