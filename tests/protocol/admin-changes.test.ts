import { describe, expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import type { Request } from './support/http.ts';
import { entryOf } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, mute, ban, remove, update } = actsOn(() => world.http);

type Name =
  | 'adminSendMessage'
  | 'adminEditMessage'
  | 'adminRedactMessage'
  | 'adminUpdateConversation'
  | 'adminPutMember'
  | 'adminRemoveMember'
  | 'listVersions';
const admin = <N extends Name>(name: N, params: Record<string, string>, body?: unknown, more: Request = {}) =>
  world.http.call(name, { token: world.system.app.serverKey, params, ...(body === undefined ? {} : { body }), ...more });
const sendFor = (id: string, sender: Person, clientMsgId: string, more: object = {}) =>
  admin('adminSendMessage', { conversationId: id }, { senderId: sender.id, clientMsgId, body: { text: clientMsgId }, ...more });

describe('a message on behalf of a member', () => {
  it('is the member`s own, idempotent like any send, and moves no read position', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const first = (await sendFor(id, bob, 'm', { mentions: [ann.id] })).ok(201);
    expect(first).toMatchObject({ conversationId: id, seq: 2, asSent: true });
    expect((await sendFor(id, bob, 'm', { mentions: [ann.id] })).ok(200).seq).toBe(2);
    (await admin('adminSendMessage', { conversationId: id }, { senderId: bob.id, clientMsgId: 'm', body: {} })).refused(
      'client_msg_id_reused',
    );
    expect(await entryOf(world, ann, id, 2)).toMatchObject({ senderId: bob.id, clientMsgId: 'm', mentions: [ann.id], body: { text: 'm' } });
    expect(await world.head(bob, id)).toMatchObject({ readSeq: 1, unread: 0 });
    expect(await world.head(ann, id)).toMatchObject({ unread: 1, mentions: 1 });
    // The member's own send under that id is the same one.
    expect((await send(bob, id, 'm', { clientMsgId: 'm', mentions: [ann.id] })).ok(200).seq).toBe(2);
  });

  it('asks for no role, no thaw, no unmuting and no patience, but for membership', async () => {
    const [ann, bob, cem, eve] = await world.people('ann', 'bob', 'cem', 'eve');
    const { id } = await world.create(ann, { type: 'channel', members: [bob, cem] });
    (await update(ann, id, { frozen: true, slowModeSeconds: 3_600 })).ok();
    (await mute(ann, id, bob)).ok();
    for (const n of [1, 2]) (await sendFor(id, bob, `m${n}`)).ok(201);
    (await remove(ann, id, cem)).ok();
    const banned = await world.create(ann, { members: [bob] });
    (await ban(ann, banned.id, bob)).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (const who of [cem, eve]) expect((await sendFor(id, who, 'x')).status).toBeGreaterThanOrEqual(400);
      (await sendFor('019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e', bob, 'x')).refused('not_found');
      (await sendFor(id, bob, 'x', { sendAt: '2099-01-01T00:00:00Z' })).refused('invalid_request');
      (await sendFor(id, bob, 'x', { mentions: [eve.id] })).refused('user_unknown');
      (await sendFor(id, bob, 'x', { replyTo: 1 })).refused('invalid_request');
      (await admin('adminSendMessage', { conversationId: id }, { clientMsgId: 'x', body: {} })).refused('invalid_request');
    });
    expect((await sendFor(banned.id, bob, 'x')).status).toBeGreaterThanOrEqual(400);
  });
});

describe('the integrator`s changes', () => {
  it('of a conversation are the system`s, in any type, within what the type can have', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const reply = await admin(
      'adminUpdateConversation',
      { conversationId: id },
      { title: 'by the house', frozen: true, retentionSeconds: 86_400 },
    );
    expect(reply.ok()).toEqual({ seq: 2, changed: true });
    expect(await entryOf(world, bob, id, 2)).toMatchObject({
      type: 'conversation.updated',
      senderId: '$system',
      body: { by: '$system', title: 'by the house', frozen: true, retentionSeconds: 86_400 },
    });
    await leavesAllAsItWas(world.system.database, id, async () => {
      const same = await admin('adminUpdateConversation', { conversationId: id }, { title: 'by the house' });
      expect(same.ok()).toEqual({ seq: null, changed: false });
      (await admin('adminUpdateConversation', { conversationId: id }, { frozen: 'yes' })).refused('invalid_request');
    });
    const missing = '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e';
    (await admin('adminUpdateConversation', { conversationId: missing }, { title: 'x' })).refused('not_found');
  });

  it('of members need no role, keep an owner, and know only users that exist', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob] });
    const put = (who: string, role?: string) =>
      admin('adminPutMember', { conversationId: id, userId: who }, role === undefined ? undefined : { role });
    const drop = (who: string) => admin('adminRemoveMember', { conversationId: id, userId: who });
    expect((await put(cem.id)).ok()).toEqual({ seq: 2, changed: true });
    expect(await entryOf(world, bob, id, 2)).toMatchObject({
      type: 'member.joined',
      body: { userId: cem.id, role: 'member', by: '$system' },
    });
    expect((await put(cem.id, 'owner')).ok()).toEqual({ seq: 3, changed: true });
    expect(await entryOf(world, bob, id, 3)).toMatchObject({
      type: 'member.updated',
      body: { userId: cem.id, role: 'owner', by: '$system' },
    });
    expect((await drop(ann.id)).ok()).toEqual({ seq: 4, changed: true });
    expect(await entryOf(world, bob, id, 4)).toMatchObject({
      type: 'member.left',
      body: { userId: ann.id, by: '$system', reason: 'removed' },
    });
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await drop(cem.id)).refused('last_owner');
      (await put(cem.id, 'member')).refused('last_owner');
      (await put('nobody-here')).refused('user_unknown');
      (await put(bob.id, 'king')).refused('invalid_request');
      expect((await put(bob.id)).ok()).toEqual({ seq: null, changed: false });
    });
    const direct = await world.create(ann, { type: 'direct', members: [bob] });
    await leavesAllAsItWas(world.system.database, direct.id, async () => {
      (await admin('adminPutMember', { conversationId: direct.id, userId: cem.id })).refused('forbidden');
      (await admin('adminRemoveMember', { conversationId: direct.id, userId: bob.id })).refused('forbidden');
    });
  });

  it('need a server key: a user`s token opens none of them', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const seq = await said(ann, id, 'x');
    const entry = { conversationId: id, seq: String(seq) };
    const as = { token: ann.token };
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await admin('adminEditMessage', entry, { body: {} }, as)).refused('token_invalid');
      (await admin('adminRedactMessage', entry, undefined, as)).refused('token_invalid');
      (await admin('listVersions', entry, undefined, as)).refused('token_invalid');
      (await admin('adminUpdateConversation', { conversationId: id }, { title: 'x' }, as)).refused('token_invalid');
      (await admin('adminPutMember', { conversationId: id, userId: 'x' }, undefined, as)).refused('token_invalid');
      (await admin('adminRemoveMember', { conversationId: id, userId: ann.id }, undefined, as)).refused('token_invalid');
      (await admin('adminSendMessage', { conversationId: id }, { senderId: ann.id, clientMsgId: 'x', body: {} }, as)).refused(
        'token_invalid',
      );
    });
  });
});
