import { type Answer, Caller, type Fields, type ListOptions, query } from './caller.ts';

/** One's own user and other users. */
export abstract class UserCalls extends Caller {
  async me(): Promise<Answer<'getMe'>['me']> {
    return ((await this.call('GET', '/v1/me')) as Answer<'getMe'>).me;
  }

  /** What is absent stays; `''` and `{}` clear. */
  async updateMe(fields: Fields<'updateMe'>): Promise<Answer<'updateMe'>['me']> {
    return ((await this.call('PATCH', '/v1/me', fields)) as Answer<'updateMe'>).me;
  }

  /** Profiles of at most 100 users; unknown ones are left out. */
  async users(userIds: readonly string[]): Promise<Answer<'getUsers'>['users']> {
    return ((await this.call('GET', `/v1/users${query({ ids: userIds.join(',') })}`)) as Answer<'getUsers'>).users;
  }

  /** Whether at most 100 users are online, once; `watchPresence` follows them. */
  async presence(userIds: readonly string[]): Promise<Answer<'getPresence'>['presence']> {
    return ((await this.call('GET', `/v1/presence${query({ users: userIds.join(',') })}`)) as Answer<'getPresence'>).presence;
  }

  /** No direct messages, typing or presence pass between the two; in groups the blocked one's entries come with `blocked`. */
  async block(userId: string): Promise<Answer<'blockUser'>> {
    return (await this.call('PUT', `/v1/me/blocks/${encodeURIComponent(userId)}`)) as Answer<'blockUser'>;
  }

  async unblock(userId: string): Promise<Answer<'unblockUser'>> {
    return (await this.call('DELETE', `/v1/me/blocks/${encodeURIComponent(userId)}`)) as Answer<'unblockUser'>;
  }

  async blockedUsers(options: ListOptions = {}): Promise<Answer<'listBlocks'>> {
    return (await this.call('GET', `/v1/me/blocks${query({ ...options })}`)) as Answer<'listBlocks'>;
  }

  /** Own messages that wait for their time, and those refused at it. */
  async scheduled(options: ListOptions = {}): Promise<Answer<'listScheduled'>> {
    return (await this.call('GET', `/v1/me/scheduled${query({ ...options })}`)) as Answer<'listScheduled'>;
  }

  async cancelScheduled(scheduledId: string): Promise<Answer<'cancelScheduled'>> {
    return (await this.call('DELETE', `/v1/me/scheduled/${encodeURIComponent(scheduledId)}`)) as Answer<'cancelScheduled'>;
  }

  async dismissNotice(noticeId: string): Promise<Answer<'dismissNotice'>> {
    return (await this.call('DELETE', `/v1/me/notices/${encodeURIComponent(noticeId)}`)) as Answer<'dismissNotice'>;
  }
}
