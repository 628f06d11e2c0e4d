import type { SessionRegistry } from '@nudge/server-kit';
import type { Presence } from '@nudge/types';
import type { UserStore } from '../../store/user-store.ts';

export interface PresencesOptions {
  readonly users: Pick<UserStore, 'presenceVisibility' | 'relatedByBlocks'>;
  readonly registry: Pick<SessionRegistry, 'presenceOf'>;
}

/** Who of some users is online, as one user may see it. */
export class Presences {
  readonly #options: PresencesOptions;

  constructor(options: PresencesOptions) {
    this.#options = options;
  }

  /**
   * One item per user that exists, in the order asked. Who shows its presence to nobody, and whoever blocks or is blocked by the viewer,
   * looks like somebody who was never here. The viewer always sees itself.
   */
  async of(appId: string, viewerId: string, userIds: readonly string[]): Promise<Presence[]> {
    const { users, registry } = this.#options;
    const asked = [...new Set(userIds)];
    const [visibility, related] = await Promise.all([users.presenceVisibility(appId, asked), users.relatedByBlocks(appId, viewerId)]);
    const known = asked.filter((userId) => visibility.has(userId));
    const visible = known.filter((userId) => userId === viewerId || (visibility.get(userId) === 'everyone' && !related.has(userId)));
    const presence = new Map((await registry.presenceOf(appId, visible, viewerId)).map((item) => [item.userId, item]));
    return known.map((userId) => presence.get(userId) ?? { userId, status: 'offline' });
  }
}
