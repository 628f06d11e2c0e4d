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

describe('a custom event', () => {
  it('reaches who watches, whole, the sender`s other devices among them, and not the sending one', async () => {
    const id = await world.conversation(['ann', 'bob', 'cem']);
    const [ann, ann2, bob, cem] = await Promise.all([
      server.connect('ann', { deviceId: '1' }),
      server.connect('ann', { deviceId: '2' }),
      server.connect('bob'),
      server.connect('cem'),
    ]);
    for (const device of [ann, ann2, bob]) await device.call('watch', { conversationIds: [id] });
    const payload = { at: { line: 3, text: 'Zeile \u{1f600}' }, list: [1, null, true] };
    ann.event(id, 'cursor.moved', payload);
    const heard = { conversationId: id, userId: 'ann', name: 'cursor.moved', payload };
    await waitFor('both', () => ann2.events.length === 1 && bob.events.length === 1);
    expect([ann2.events, bob.events]).toEqual([[heard], [heard]]);
    for (const device of [ann, cem]) await device.settled();
    expect([ann.events, cem.events]).toEqual([[], []]);
    ann2.event(id, 'answer');
    await waitFor('the answer', () => ann.events.length === 1 && bob.events.length === 2);
    await ann2.settled();
    expect(ann2.events).toHaveLength(1);
  });

  it('arrives with others of the same moment, in their order', async () => {
    const id = await world.conversation(['ann', 'bob']);
    const [ann, bob] = await Promise.all([server.connect('ann'), server.connect('bob')]);
    for (const device of [ann, bob]) await device.call('watch', { conversationIds: [id] });
    for (const name of ['one', 'two', 'three', 'four']) ann.event(id, name);
    await waitFor('all four', () => bob.events.length === 4);
    expect(bob.events.map(({ name }) => name)).toEqual(['one', 'two', 'three', 'four']);
  });

  it('has no echo after a resume either', async () => {
    const id = await world.conversation(['ann', 'bob']);
    const [before, bob] = await Promise.all([server.connect('ann'), server.connect('bob')]);
    for (const device of [before, bob]) await device.call('watch', { conversationIds: [id] });
    before.event(id, 'one');
    await waitFor('the first', () => bob.events.length === 1);
    before.cut();
    const ann = await server.connect('ann', { sessionId: before.welcome?.sessionId });
    expect(ann.welcome?.resumed).toBe(true);
    ann.event(id, 'two');
    await waitFor('the second', () => bob.events.length === 2);
    await ann.settled();
    expect(ann.events).toEqual([]);
  });

  it('is dropped where the sender does not watch, is no member, or may not send', async () => {
    const passes = async (change: (id: string) => Promise<unknown>, type: 'group' | 'channel' = 'group') => {
      const id = await world.conversation(['bob', 'ann'], world.app, type);
      await change(id);
      const [ann, bob] = await Promise.all([server.connect('ann'), server.connect('bob')]);
      for (const device of [ann, bob]) await device.call('watch', { conversationIds: [id] });
      ann.event(id, 'x');
      await ann.settled();
      await bob.settled();
      return bob.events.length;
    };
    const member = (set: string) => (id: string) =>
      world.database.query(`update member set ${set} where conversation_id = $1 and user_id = 'ann'`, [id]);
    const freeze = (id: string) => world.database.query('update conversation set frozen_at = now() where id = $1', [id]);
    expect(await passes(async () => undefined)).toBe(1);
    expect(await passes(member(`muted_until = now() + interval '1 hour'`))).toBe(0);
    expect(await passes(member(`banned_until = 'infinity'`))).toBe(0);
    expect(await passes(freeze)).toBe(0);
    expect(await passes(async () => undefined, 'channel')).toBe(0);
    expect(await passes(member(`role = 'moderator'`), 'channel')).toBe(1);

    const id = await world.conversation(['ann', 'bob']);
    const [ann, bob, eve] = await Promise.all([server.connect('ann'), server.connect('bob'), server.connect('eve')]);
    for (const device of [bob, eve]) await device.call('watch', { conversationIds: [id] });
    for (const device of [ann, eve]) device.event(id, 'x');
    for (const device of [ann, eve, bob]) await device.settled();
    expect(bob.events).toEqual([]);
  });

  it('is bounded per session: more is dropped without a word', async () => {
    await using small = await startGatewayServer(world, { limits: { customEventsPer10Seconds: 3 } });
    const id = await world.conversation(['ann', 'bob']);
    const [ann, bob] = await Promise.all([small.connect('ann'), small.connect('bob')]);
    for (const device of [ann, bob]) await device.call('watch', { conversationIds: [id] });
    for (let i = 0; i < 10; i++) ann.event(id, 'x', { i });
    await ann.settled();
    await bob.settled();
    expect(bob.events.length).toBeGreaterThan(0);
    expect(bob.events.length).toBeLessThanOrEqual(3);
    expect(await small.metric('nudge_gateway_custom_events_relayed_total')).toBe(3);
    expect(await small.metric('nudge_gateway_custom_events_dropped_total')).toBe(7);
  });

  it('that is none ends the connection', async () => {
    const id = await world.conversation(['ann']);
    const bad = [{ name: 'a b' }, { name: 'x', payload: [] }, { name: 'x', payload: { text: 'x'.repeat(1_100) } }, { name: 'x' }];
    for (const event of bad) {
      const ann = await server.connect('ann');
      ann.socket.emit('event', { conversationId: id, ...event });
      expect(await ann.disconnected()).toMatchObject({ reason: 'protocol_error' });
    }
  });
});
