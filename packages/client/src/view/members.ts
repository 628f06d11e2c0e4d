import type { Entry, Role } from '@nudge/types';

/** What is known of someone's membership. Fields that no entry told of are absent. */
export interface ViewMember {
  readonly state?: 'joined' | 'left';
  readonly role?: Role;
  /** Muted until then; null = not muted. A time that has passed means the same. */
  readonly mutedUntil?: string | null;
  readonly banned?: boolean;
  /** With `banned`: until when; absent = for ever. */
  readonly bannedUntil?: string;
}

/** By user id. */
export type ViewMembers = Readonly<Record<string, ViewMember>>;

/** The members after an entry; the same object when it says nothing of them. */
export function foldMembers(members: ViewMembers, { type, body }: Entry): ViewMembers {
  if (body == null) return members;
  if (type === 'conversation.created') return created(members, body);
  const { userId } = body;
  if (typeof userId !== 'string') return members;
  const before = members[userId] ?? {};
  switch (type) {
    case 'member.joined': {
      const { bannedUntil: _until, ...rest } = before;
      return { ...members, [userId]: { ...rest, state: 'joined', ...role(body.role), banned: false } };
    }
    case 'member.left': {
      // A mute outlasts leaving and coming back; the role does not.
      const { role: _role, bannedUntil: _until, ...rest } = before;
      return { ...members, [userId]: { ...rest, state: 'left', ...ban(body.reason === 'banned', body.bannedUntil) } };
    }
    case 'member.updated': {
      const after = { ...members, [userId]: updated(before, body) };
      if (body.transfer !== true || typeof body.by !== 'string' || body.by.startsWith('$')) return after;
      return { ...after, [body.by]: { ...after[body.by], role: 'moderator' } };
    }
    default:
      return members;
  }
}

/** What older entries tell, under what newer ones told already. */
export function underMembers(older: ViewMembers, newer: ViewMembers): ViewMembers {
  const both = { ...older, ...newer };
  for (const [userId, member] of Object.entries(newer)) {
    const { role: oldRole, bannedUntil, ...below } = older[userId] ?? {};
    both[userId] = {
      ...below,
      ...(member.state === 'left' || oldRole === undefined ? {} : { role: oldRole }),
      ...(member.banned !== undefined || bannedUntil === undefined ? {} : { bannedUntil }),
      ...member,
    };
  }
  return both;
}

function created(members: ViewMembers, body: Readonly<Record<string, unknown>>): ViewMembers {
  const { by, members: first } = body;
  const all: [string, ViewMember][] = [];
  if (Array.isArray(first))
    for (const userId of first) if (typeof userId === 'string') all.push([userId, { state: 'joined', role: 'member' }]);
  if (typeof by === 'string') all.push([by, { state: 'joined', role: body.type === 'direct' ? 'member' : 'owner' }]);
  // Not by assignment: a user may be called __proto__.
  return { ...members, ...Object.fromEntries(all) };
}

function updated(before: ViewMember, body: Readonly<Record<string, unknown>>): ViewMember {
  const { mutedUntil, banned } = body;
  const muted = mutedUntil === null || typeof mutedUntil === 'string' ? { mutedUntil } : {};
  if (typeof banned !== 'boolean') return { ...before, ...role(body.role), ...muted };
  const { bannedUntil: _until, ...rest } = before;
  return { ...rest, ...role(body.role), ...muted, ...ban(banned, body.bannedUntil) };
}

function ban(banned: boolean, until: unknown): Pick<ViewMember, 'banned' | 'bannedUntil'> {
  return banned && typeof until === 'string' ? { banned, bannedUntil: until } : { banned };
}

function role(value: unknown): Pick<ViewMember, 'role'> {
  return value === 'owner' || value === 'moderator' || value === 'member' ? { role: value } : {};
}
