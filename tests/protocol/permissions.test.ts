import { readFile } from 'node:fs/promises';
import {
  type Action,
  type ConversationType,
  type ErrorCode,
  outranks,
  permissionNotes,
  permissions,
  type Role,
  refusedWhile,
  roleAllows,
} from '@nudge/types';
import { describe, expect, it } from 'vitest';
import type { Reply, Request } from './support/http.ts';
import { type Person, useWorld } from './support/world.ts';

const world = useWorld();

const types = ['direct', 'group', 'channel'] as const satisfies readonly ConversationType[];
const roles = ['owner', 'moderator', 'member'] as const satisfies readonly Role[];
const actions = Object.keys(permissions) as Action[];

/** What an action is tried on: a conversation with one of each role and a second member, all of whom have sent. */
interface Scene {
  readonly conversationId: string;
  readonly actor: Person;
  /** Another member, of the role given. */
  readonly other: Person;
  readonly outsider: Person;
  /** Seqs of the actor's and of another member's message. */
  readonly own: number;
  readonly others: number;
}

type Attempt = (scene: Scene) => readonly [Parameters<typeof world.http.call>[0], Request];

const at = ({ conversationId }: Scene) => ({ conversationId });
const of = ({ conversationId, other }: Scene) => ({ conversationId, userId: other.id });
const patch =
  (body: object): Attempt =>
  (scene) => ['updateConversation', { params: at(scene), body }];
const on = (scene: Scene, seq: number) => ({ conversationId: scene.conversationId, seq: String(seq) });

/** How each action is tried over HTTP. `type` goes over the socket and is tried at the gateway. */
const attempts: Record<Exclude<Action, 'type'>, Attempt> = {
  send: (scene) => ['sendMessage', { params: at(scene), body: { clientMsgId: 'tried', body: { text: 'tried' } } }],
  editOwn: (scene) => ['editMessage', { params: on(scene, scene.own), body: { body: { text: 'edited' } } }],
  editOthers: (scene) => ['editMessage', { params: on(scene, scene.others), body: { body: { text: 'edited' } } }],
  redactOwn: (scene) => ['redactMessage', { params: on(scene, scene.own) }],
  redactOthers: (scene) => ['redactMessage', { params: on(scene, scene.others) }],
  react: (scene) => ['addReaction', { params: { ...on(scene, scene.others), emoji: '👍' } }],
  pin: (scene) => ['pinMessage', { params: on(scene, scene.others) }],
  read: (scene) => ['listEntries', { params: at(scene) }],
  updateProfile: patch({ title: 'tried' }),
  updateMetadata: patch({ metadata: { tried: true } }),
  freeze: patch({ frozen: true }),
  setSlowMode: patch({ slowModeSeconds: 60 }),
  setRetention: patch({ retentionSeconds: 3_600 }),
  addMember: (scene) => ['putMember', { params: { conversationId: scene.conversationId, userId: scene.outsider.id } }],
  setRole: (scene) => ['putMember', { params: of(scene), body: { role: 'moderator' } }],
  transferOwnership: (scene) => ['transferOwnership', { params: at(scene), body: { userId: scene.other.id } }],
  removeMember: (scene) => ['removeMember', { params: of(scene) }],
  muteMember: (scene) => ['muteMember', { params: of(scene), body: { seconds: 60 } }],
  banMember: (scene) => ['banMember', { params: of(scene), body: { seconds: 60 } }],
  leave: (scene) => ['removeMember', { params: { conversationId: scene.conversationId, userId: 'me' } }],
};

/** Leaves no entry although it succeeds. */
const silent = (action: Action, type: ConversationType): boolean => action === 'read' || (action === 'leave' && type === 'direct');

interface Cast {
  readonly type: ConversationType;
  readonly role: Role;
  /** Role of the other whom the action concerns. */
  readonly otherRole?: Role;
}

async function setScene({ type, role, otherRole = 'member' }: Cast): Promise<Scene & { readonly keeper: Person }> {
  const [keeper, actor, other, outsider] = await world.people('keeper', 'actor', 'other', 'outsider');
  const admin = (userId: string, wanted: Role, conversationId: string) =>
    world.http.call('adminPutMember', {
      token: world.system.app.serverKey,
      params: { conversationId, userId },
      body: { role: wanted },
    });
  if (type === 'direct') {
    const { id } = await world.create(actor, { type, members: [other] });
    const own = await sendFor(id, actor, 'own');
    const others = await sendFor(id, other, 'others');
    return { conversationId: id, actor, other, outsider, own, others, keeper: other };
  }
  const { id } = await world.create(keeper, { type, members: [actor, other] });
  const own = await sendFor(id, actor, 'own');
  const others = await sendFor(id, other, 'others');
  if (role !== 'member') (await admin(actor.id, role, id)).ok();
  if (otherRole !== 'member') (await admin(other.id, otherRole, id)).ok();
  return { conversationId: id, actor, other, outsider, own, others, keeper };
}

/** A message of someone who may not be allowed to send by itself: sent on behalf. */
async function sendFor(conversationId: string, sender: Person, clientMsgId: string): Promise<number> {
  const reply = await world.http.call('adminSendMessage', {
    token: world.system.app.serverKey,
    params: { conversationId },
    body: { senderId: sender.id, clientMsgId, body: { text: clientMsgId } },
  });
  return reply.ok(201).seq;
}

async function attempt(action: Exclude<Action, 'type'>, scene: Scene, by: Person): Promise<Reply<'editMessage'>> {
  const [route, request] = attempts[action](scene);
  return (await world.http.call(route, { ...request, token: by.token })) as unknown as Reply<'editMessage'>;
}

/** Everything of a conversation that an action could have changed. */
async function stateOf(conversationId: string): Promise<unknown> {
  const [conversation, members, entries] = await Promise.all([
    world.system.database.query('select * from conversation where id = $1', [conversationId]),
    world.system.database.query('select * from member where conversation_id = $1 order by user_id', [conversationId]),
    world.system.database.query('select * from entry where conversation_id = $1 order by seq', [conversationId]),
  ]);
  return { conversation, members, entries };
}

/** What the table says of an action by a role on a member of another role. */
function expected(action: Action, { type, role, otherRole = 'member' }: Cast): 'yes' | ErrorCode {
  if (!roleAllows(action, type, role)) return 'forbidden';
  const concernsRank = action === 'removeMember' || action === 'muteMember' || action === 'banMember';
  return concernsRank && !outranks(role, otherRole) ? 'forbidden' : 'yes';
}

const tried = actions.filter((action): action is Exclude<Action, 'type'> => action !== 'type');

describe('the table of permissions', () => {
  const cases = types.flatMap((type) =>
    (type === 'direct' ? (['member'] as const) : roles).flatMap((role) => tried.map((action) => ({ type, role, action }))),
  );

  it.each(cases)('$action in a $type by its $role', async ({ type, role, action }) => {
    const cast = { type, role };
    const scene = await setScene(cast);
    const before = await stateOf(scene.conversationId);
    const [head] = await world.system.database.query<{ seq: number }>('select last_seq::int as seq from conversation where id = $1', [
      scene.conversationId,
    ]);
    const reply = await attempt(action, scene, scene.actor);
    const outcome = expected(action, cast);
    if (outcome === 'yes') {
      reply.ok();
      const [after] = await world.system.database.query<{ seq: number }>('select last_seq::int as seq from conversation where id = $1', [
        scene.conversationId,
      ]);
      expect((after?.seq ?? 0) - (head?.seq ?? 0), 'one entry').toBe(silent(action, type) ? 0 : 1);
    } else {
      reply.refused(outcome);
      expect(await stateOf(scene.conversationId), 'nothing half done').toEqual(before);
    }
  });

  it.each(
    roles.flatMap((role) =>
      roles.flatMap((otherRole) => (['removeMember', 'muteMember', 'banMember'] as const).map((action) => ({ action, role, otherRole }))),
    ),
  )('$action by $role on $otherRole goes by rank', async ({ action, role, otherRole }) => {
    const cast = { type: 'group', role, otherRole } as const;
    const scene = await setScene(cast);
    const before = await stateOf(scene.conversationId);
    const reply = await attempt(action, scene, scene.actor);
    const outcome = expected(action, cast);
    if (outcome === 'yes') expect(reply.ok()).toMatchObject({ changed: true });
    else {
      reply.refused(outcome);
      expect(await stateOf(scene.conversationId), 'nothing half done').toEqual(before);
    }
  });

  it.each(tried)('%s by an outsider is as if there were nothing', async (action) => {
    const scene = await setScene({ type: 'group', role: 'member' });
    const before = await stateOf(scene.conversationId);
    const [stranger] = await world.people('stranger');
    (await attempt(action, scene, stranger)).refused('not_found');
    expect(await stateOf(scene.conversationId)).toEqual(before);
  });
});

describe('a state of the member or the conversation', () => {
  const states = Object.keys(refusedWhile) as (keyof typeof refusedWhile)[];
  const bring: Record<keyof typeof refusedWhile, (scene: Scene & { keeper: Person }) => Promise<Reply<never>>> = {
    frozen: (scene) =>
      world.http.call('updateConversation', {
        token: scene.keeper.token,
        params: at(scene),
        body: { frozen: true },
      }) as unknown as Promise<Reply<never>>,
    muted: (scene) =>
      world.http.call('muteMember', {
        token: scene.keeper.token,
        params: { conversationId: scene.conversationId, userId: scene.actor.id },
      }) as unknown as Promise<Reply<never>>,
    blocked: (scene) =>
      world.http.call('blockUser', { token: scene.keeper.token, params: { userId: scene.actor.id } }) as unknown as Promise<Reply<never>>,
  };
  const cases = states.flatMap((state) => tried.map((action) => ({ state, action })));

  it.each(cases)('$state: $action', async ({ state, action }) => {
    const type = state === 'blocked' ? 'direct' : 'group';
    const cast = { type, role: 'member' } as const;
    const scene = await setScene(cast);
    (await bring[state](scene)).ok();
    const before = await stateOf(scene.conversationId);
    const reply = await attempt(action, scene, scene.actor);
    const refused = (refusedWhile[state] as readonly Action[]).includes(action);
    const outcome = expected(action, cast);
    if (outcome === 'yes' && !refused) reply.ok();
    else {
      reply.refused(outcome === 'yes' ? state : outcome);
      expect(await stateOf(scene.conversationId), 'nothing half done').toEqual(before);
    }
  });

  it('frozen refuses no moderator and no owner', async () => {
    for (const role of ['moderator', 'owner'] as const) {
      const scene = await setScene({ type: 'group', role });
      (await bring.frozen(scene)).ok();
      for (const action of ['send', 'editOwn', 'react', 'pin'] as const) (await attempt(action, scene, scene.actor)).ok();
    }
  });
});

describe('PROTOCOL.md', () => {
  it('shows this very table', async () => {
    const text = await readFile(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
    for (const action of actions) {
      const row = text.split('\n').filter((line) => line.startsWith(`| \`${action}\``));
      const { direct, group, channel } = permissions[action];
      expect(row, action).toHaveLength(1);
      expect(
        row[0]
          ?.split('|')
          .slice(2, 6)
          .map((cell) => cell.trim()),
        action,
      ).toEqual([direct, group, channel, permissionNotes[action] ?? '']);
    }
  });
});
