import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

let world: GatewayWorld;
let server: GatewayServer;
beforeAll(async () => {
  world = await createGatewayWorld();
  server = await startGatewayServer(world);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

describe('typing', () => {
  it('reaches who watches, and no device of who types', async () => {
    const id = await world.conversation(['ann', 'bob', 'cem']);
    const [ann, ann2, bob, cem] = await Promise.all([
      server.connect('ann', { deviceId: '1' }),
      server.connect('ann', { deviceId: '2' }),
      server.connect('bob'),
      server.connect('cem'),
    ]);
    for (const device of [ann, ann2, bob]) await device.call('watch', { conversationIds: [id] });
    ann.typing(id, true);
    await waitFor('typing', () => bob.typings.length === 1);
    expect(bob.typings).toEqual([{ conversationId: id, userId: 'ann', active: true, ttlMs: 6_000 }]);
    ann.typing(id, false);
    await waitFor('its end', () => bob.typings.length === 2);
    for (const device of [ann, ann2, cem]) await device.settled();
    expect([ann.typings, ann2.typings, cem.typings]).toEqual([[], [], []]);
  });

  it('is dropped where the typist does not watch, or is no member, in any app', async () => {
    const id = await world.conversation(['ann', 'bob']);
    const [ann, bob, eve, twin] = await Promise.all([
      server.connect('ann'),
      server.connect('bob'),
      server.connect('eve'),
      server.connect('ann', { app: world.otherApp }),
    ]);
    await bob.call('watch', { conversationIds: [id] });
    for (const device of [eve, twin]) await device.call('watch', { conversationIds: [id] });
    for (const device of [ann, eve, twin]) device.typing(id, true);
    for (const device of [ann, eve, twin]) await device.settled();
    await bob.settled();
    expect(bob.typings).toEqual([]);
  });

  it('is dropped while muted, banned or frozen', async () => {
    const silenced = async (change: (id: string) => Promise<unknown>) => {
      const id = await world.conversation(['bob', 'ann']);
      await change(id);
      const [ann, bob] = await Promise.all([server.connect('ann'), server.connect('bob')]);
      for (const device of [ann, bob]) await device.call('watch', { conversationIds: [id] });
      ann.typing(id, true);
      await ann.settled();
      await bob.settled();
      return bob.typings;
    };
    const member = (set: string) => (id: string) =>
      world.database.query(`update member set ${set} where conversation_id = $1 and user_id = 'ann'`, [id]);
    expect(await silenced(member(`muted_until = now() + interval '1 hour'`))).toEqual([]);
    expect(await silenced(member(`banned_until = now() + interval '1 hour'`))).toEqual([]);
    const freeze = (id: string) => world.database.query('update conversation set frozen_at = now() where id = $1', [id]);
    expect(await silenced(freeze)).toEqual([]);
    // A frozen conversation stays open to those who moderate it.
    expect(await silenced(async (id) => [await freeze(id), await member(`role = 'moderator'`)(id)])).toHaveLength(1);
    expect(await silenced(member(`muted_until = now() - interval '1 hour'`))).toHaveLength(1);
  });

  it('is dropped of those who may not send: the plain members of a channel', async () => {
    const id = await world.conversation(['ann', 'bob'], world.app, 'channel');
    const [ann, bob] = await Promise.all([server.connect('ann'), server.connect('bob')]);
    for (const device of [ann, bob]) await device.call('watch', { conversationIds: [id] });
    bob.typing(id, true);
    await bob.settled();
    ann.typing(id, true);
    await waitFor('the owner`s typing', () => bob.typings.length === 1);
    await ann.settled();
    expect(ann.typings).toEqual([]);
  });

  it('is bounded per session: more is dropped without a word', async () => {
    await using small = await startGatewayServer(world, { limits: { typingPer10Seconds: 3 } });
    const id = await world.conversation(['ann', 'bob']);
    const [ann, bob] = await Promise.all([small.connect('ann'), small.connect('bob')]);
    for (const device of [ann, bob]) await device.call('watch', { conversationIds: [id] });
    for (let i = 0; i < 10; i++) ann.typing(id, i % 2 === 0);
    await ann.settled();
    await bob.settled();
    // Those that pass in the same turn of the event loop may be dropped for the receiver's sake.
    expect(bob.typings.length).toBeGreaterThan(0);
    expect(bob.typings.length).toBeLessThanOrEqual(3);
    expect(await small.metric('nudge_gateway_typing_relayed_total')).toBe(3);
    expect(await small.metric('nudge_gateway_typing_dropped_total')).toBe(7);
  });

  it('ends when the typist vanishes, stops watching or is removed', async () => {
    for (const vanish of ['cut', 'unwatch', 'remove'] as const) {
      const id = await world.conversation(['bob', 'ann']);
      const [ann, bob] = await Promise.all([server.connect('ann'), server.connect('bob')]);
      for (const device of [ann, bob]) await device.call('watch', { conversationIds: [id] });
      ann.typing(id, true);
      await waitFor('typing', () => bob.typings.length === 1);
      if (vanish === 'cut') ann.cut();
      else if (vanish === 'unwatch') await ann.call('unwatch', { conversationIds: [id] });
      else await server.publishToConversation(id, await world.remove(id, 'ann', 'bob'));
      await waitFor(`the end after ${vanish}`, () => bob.typings.at(-1)?.active === false);
    }
  });
});
