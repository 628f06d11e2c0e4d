import type { ConversationType, Role } from './conversation.ts';

/** The least role that may do something; `nobody` where the type of conversation does not have it. */
export type LeastRole = Role | 'nobody';

/**
 * Who may do what, by type of conversation: the least role of a current member. What a role alone does not settle stands in
 * {@link permissionNotes}. The append function in the database judges by the same rules; a generated test holds the two together.
 */
export const permissions = {
  send: { direct: 'member', group: 'member', channel: 'moderator' },
  editOwn: { direct: 'member', group: 'member', channel: 'moderator' },
  editOthers: { direct: 'nobody', group: 'nobody', channel: 'nobody' },
  redactOwn: { direct: 'member', group: 'member', channel: 'member' },
  redactOthers: { direct: 'nobody', group: 'moderator', channel: 'moderator' },
  react: { direct: 'member', group: 'member', channel: 'member' },
  pin: { direct: 'member', group: 'moderator', channel: 'moderator' },
  type: { direct: 'member', group: 'member', channel: 'moderator' },
  read: { direct: 'member', group: 'member', channel: 'member' },
  updateProfile: { direct: 'nobody', group: 'moderator', channel: 'moderator' },
  updateMetadata: { direct: 'member', group: 'moderator', channel: 'moderator' },
  freeze: { direct: 'nobody', group: 'moderator', channel: 'moderator' },
  setSlowMode: { direct: 'nobody', group: 'moderator', channel: 'moderator' },
  setRetention: { direct: 'member', group: 'owner', channel: 'owner' },
  addMember: { direct: 'nobody', group: 'moderator', channel: 'moderator' },
  setRole: { direct: 'nobody', group: 'owner', channel: 'owner' },
  transferOwnership: { direct: 'nobody', group: 'owner', channel: 'owner' },
  removeMember: { direct: 'nobody', group: 'moderator', channel: 'moderator' },
  muteMember: { direct: 'nobody', group: 'moderator', channel: 'moderator' },
  banMember: { direct: 'nobody', group: 'moderator', channel: 'moderator' },
  leave: { direct: 'member', group: 'member', channel: 'member' },
} as const satisfies Record<string, Record<ConversationType, LeastRole>>;

/** Something a member may want to do. */
export type Action = keyof typeof permissions;

/** What the least role alone does not say. */
export const permissionNotes: Partial<Record<Action, string>> = {
  removeMember: 'only a member of a lower role',
  muteMember: 'only a member of a lower role',
  banMember: 'only a member of a lower role, or someone who is no member',
  setRole: 'an owner steps down only while another owner remains',
  leave: 'the last owner only when nobody else remains; leaving a direct conversation hides it',
};

const ranks: Readonly<Record<LeastRole, number>> = { member: 1, moderator: 2, owner: 3, nobody: 4 };

/** What a state of the member or the conversation refuses to those whom the table allows it. */
export const refusedWhile = {
  /** To role `member` while the conversation is frozen. */
  frozen: ['send', 'editOwn', 'react', 'pin', 'type'],
  /** To a muted member. */
  muted: ['send', 'editOwn', 'react', 'pin', 'type'],
  /** To the one whom the other of a direct conversation has blocked. Metadata could carry a message as well. */
  blocked: ['send', 'editOwn', 'react', 'pin', 'type', 'updateMetadata', 'setRetention'],
} as const satisfies Record<string, readonly Action[]>;

/** Whether a role suffices for an action in a conversation of a type. */
export function roleAllows(action: Action, type: ConversationType, role: Role): boolean {
  return ranks[role] >= ranks[permissions[action][type]];
}

/** Whether `role` stands above `other`. */
export function outranks(role: Role, other: Role): boolean {
  return ranks[role] > ranks[other];
}
