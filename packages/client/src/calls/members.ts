import type { Role } from '@nudge/types';
import { type Answer, type ChangeAnswer, type ListOptions, query } from './caller.ts';
import { ConversationCalls } from './conversations.ts';

/** Members of conversations: joining, roles, mutes, bans. */
export abstract class MemberCalls extends ConversationCalls {
  async members(conversationId: string, options: ListOptions = {}): Promise<Answer<'listMembers'>> {
    return (await this.call(
      'GET',
      `/v1/conversations/${encodeURIComponent(conversationId)}/members${query({ ...options })}`,
    )) as Answer<'listMembers'>;
  }

  /** Adds a member, or gives one another role. */
  putMember(conversationId: string, userId: string, role?: Role): Promise<ChangeAnswer> {
    return this.change('PUT', conversationId, `/members/${encodeURIComponent(userId)}`, role === undefined ? undefined : { role });
  }

  removeMember(conversationId: string, userId: string): Promise<ChangeAnswer> {
    return this.change('DELETE', conversationId, `/members/${encodeURIComponent(userId)}`);
  }

  /** A direct conversation is only hidden until the next message. */
  leave(conversationId: string): Promise<ChangeAnswer> {
    return this.change('DELETE', conversationId, '/members/me');
  }

  /** Makes another member owner and oneself moderator. */
  transferOwnership(conversationId: string, userId: string): Promise<ChangeAnswer> {
    return this.change('PUT', conversationId, '/owner', { userId });
  }

  /** Without `seconds` until unmuted. */
  mute(conversationId: string, userId: string, seconds?: number): Promise<ChangeAnswer> {
    return this.change(
      'PUT',
      conversationId,
      `/members/${encodeURIComponent(userId)}/mute`,
      seconds === undefined ? undefined : { seconds },
    );
  }

  unmute(conversationId: string, userId: string): Promise<ChangeAnswer> {
    return this.change('DELETE', conversationId, `/members/${encodeURIComponent(userId)}/mute`);
  }

  /** Removes a member and keeps the user out; without `seconds` for ever. */
  ban(conversationId: string, userId: string, seconds?: number): Promise<ChangeAnswer> {
    return this.change('PUT', conversationId, `/bans/${encodeURIComponent(userId)}`, seconds === undefined ? undefined : { seconds });
  }

  unban(conversationId: string, userId: string): Promise<ChangeAnswer> {
    return this.change('DELETE', conversationId, `/bans/${encodeURIComponent(userId)}`);
  }

  async bans(conversationId: string, options: ListOptions = {}): Promise<Answer<'listBans'>> {
    return (await this.call(
      'GET',
      `/v1/conversations/${encodeURIComponent(conversationId)}/bans${query({ ...options })}`,
    )) as Answer<'listBans'>;
  }
}
