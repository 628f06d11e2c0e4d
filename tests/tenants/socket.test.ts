import { randomUUID } from 'node:crypto';
import { type ClientEventName, clientEventSchemas, defaultLimits } from '@nudge/types';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../protocol/support/socket.ts';
import { type Person, useWorld } from '../protocol/support/world.ts';
import { waitFor } from '../support/wait-for.ts';

/** Equal user ids on both sides; each test has pairs of its own. */
const world = useWorld();

interface Side {
  readonly alice: Person;
  readonly bob: Person;
  readonly conversationId: string;
  readonly aliceDevice: Device;
  readonly bobDevice: Device;
}

async function side(app: typeof world.system.app, suffix: string): Promise<Side> {
  const [alice, bob] = await world.peopleOf(app, [`alice-${suffix}`, `bob-${suffix}`]);
  if (alice === undefined || bob === undefined) throw new Error('no users');
  const { id: conversationId } = await world.create(alice, { members: [bob] });
  return {
    alice,
    bob,
    conversationId,
    aliceDevice: await world.device(alice, { deviceId: 'phone' }),
    bobDevice: await world.device(bob, { deviceId: 'phone' }),
  };
}

let one: Side;
let two: Side;

beforeAll(async () => {
  one = await side(world.system.app, 'x');
  two = await side(world.system.otherApp, 'x');
  for (const { aliceDevice, bobDevice, conversationId } of [one, two]) {
    await aliceDevice.ask('watch', { conversationIds: [conversationId] });
    await bobDevice.ask('watch', { conversationIds: [conversationId] });
  }
});

/** Waits until a device has heard a key that was sent after everything else: what has not come by then does not come. */
async function marker(of: Side, device: Device): Promise<void> {
  await device.reach(`c/${of.conversationId}`, await world.send(of.alice, of.conversationId));
}

/** What each event must hold to. An event without a case does not compile. */
const cases: Record<ClientEventName, () => Promise<void>> = {
  async watch() {
    const missing = randomUUID();
    const { heads, refused } = await two.bobDevice.ask('watch', { conversationIds: [one.conversationId, missing, two.conversationId] });
    expect(refused).toEqual({ [one.conversationId]: 'not_found', [missing]: 'not_found' });
    expect(Object.keys(heads)).toEqual([two.conversationId]);
    await world.send(one.alice, one.conversationId);
    await marker(two, two.bobDevice);
    expect(two.bobDevice.position(`c/${one.conversationId}`)).toBe(0);
  },
  async unwatch() {
    await two.bobDevice.ask('unwatch', { conversationIds: [one.conversationId] });
    // The first app's watcher of the same name still hears what only watchers hear.
    const before = one.bobDevice.heard('typing').length;
    one.aliceDevice.tell('typing', { conversationId: one.conversationId, active: true });
    await waitFor('typing in the first app', () => one.bobDevice.heard('typing').length > before);
  },
  async typing() {
    const before = one.bobDevice.heard('typing').length;
    two.aliceDevice.tell('typing', { conversationId: one.conversationId, active: true });
    await two.aliceDevice.ask('presence.set', { status: 'online' });
    await marker(one, one.bobDevice);
    expect(one.bobDevice.heard('typing')).toHaveLength(before);
    // And the other way round: a true typing in the first app reaches nobody of the second.
    const heard = two.bobDevice.heard('typing').length;
    one.aliceDevice.tell('typing', { conversationId: one.conversationId, active: true });
    await waitFor('typing in the first app', () => one.bobDevice.heard('typing').length > before);
    await marker(two, two.bobDevice);
    expect(two.bobDevice.heard('typing')).toHaveLength(heard);
  },
  async event() {
    const before = one.bobDevice.heard('event').length;
    two.aliceDevice.tell('event', { conversationId: one.conversationId, name: 'wave', payload: { of: 'two' } });
    await two.aliceDevice.ask('presence.set', { status: 'online' });
    await marker(one, one.bobDevice);
    expect(one.bobDevice.heard('event')).toHaveLength(before);
    // And the other way round: a true event in the first app reaches nobody of the second.
    one.aliceDevice.tell('event', { conversationId: one.conversationId, name: 'wave', payload: { of: 'one' } });
    await waitFor('the event in the first app', () => one.bobDevice.heard('event').length > before);
    await marker(two, two.bobDevice);
    expect(two.bobDevice.heard('event')).toEqual([]);
  },
  async 'presence.watch'() {
    // The first app's user is online; the second's of the same name has never been here.
    const [lone] = await world.peopleOf(world.system.otherApp, ['only-online-in-first']);
    const online = await world.device({ id: 'only-online-in-first', token: world.system.app.token('only-online-in-first') });
    const { presence } = await two.bobDevice.ask('presence.watch', { userIds: [lone?.id ?? '', two.alice.id] });
    expect(presence.map(({ userId, status }) => [userId, status])).toEqual([
      [lone?.id, 'offline'],
      [two.alice.id, 'online'],
    ]);
    expect(presence[0]).not.toHaveProperty('lastSeenAt');
    await online.ask('presence.set', { status: 'away' });
    online.socket.disconnect();
    await two.aliceDevice.ask('presence.set', { status: 'away' });
    await two.bobDevice.hear('presence', ({ userId, status }) => userId === two.alice.id && status === 'away');
    expect(two.bobDevice.heard('presence').filter(({ userId }) => userId === lone?.id)).toEqual([]);
    await two.aliceDevice.ask('presence.set', { status: 'online' });
  },
  async 'presence.set'() {
    await one.bobDevice.ask('presence.watch', { userIds: [one.alice.id] });
    await two.aliceDevice.ask('presence.set', { status: 'away' });
    const { presence } = await one.bobDevice.ask('presence.watch', { userIds: [one.alice.id] });
    expect(presence.map(({ status }) => status)).toEqual(['online']);
    await marker(one, one.bobDevice);
    expect(one.bobDevice.heard('presence')).toEqual([]);
    await two.aliceDevice.ask('presence.set', { status: 'online' });
  },
  async reauth() {
    await two.aliceDevice.askRefused('token_invalid', 'reauth', { token: one.alice.token });
    await marker(two, two.aliceDevice);
    expect(two.aliceDevice.position(`c/${one.conversationId}`)).toBe(0);
  },
};

describe('a device of a user of the same name in another app', () => {
  const events = Object.keys(clientEventSchemas(defaultLimits)) as ClientEventName[];

  it('has a case for every event', () => {
    expect(Object.keys(cases).toSorted()).toEqual(events.toSorted());
  });

  it.each(events)('reaches and hears nothing through %s', async (name) => {
    await cases[name]();
  });
});

describe('the topics of an app', () => {
  it('carry its keys to its own users alone: conversations, feeds and the app`s log', async () => {
    const logs = (device: Device) => new Set(device.heard('notify').flatMap(({ keys }) => keys.map(([log]) => log)));
    const before = logs(two.bobDevice);
    const { id } = await world.create(one.alice, { members: [one.bob] });
    await world.send(one.alice, id);
    (await world.http.call('markRead', { token: one.bob.token, params: { conversationId: id }, body: { seq: 2 } })).ok();
    (await world.http.call('removeMember', { token: one.alice.token, params: { conversationId: id, userId: one.bob.id } })).ok();
    const version = (await world.sync(one.bob, { feed: { after: 0 } })).feed?.version ?? 0;
    await one.bobDevice.reach(`u/${one.bob.id}`, version);
    await marker(two, two.bobDevice);
    await marker(two, two.aliceDevice);
    // The same feed's name in both apps: what the second heard of it is its own version.
    const own = (await world.sync(two.bob, { feed: { after: 0 } })).feed?.version ?? 0;
    expect(two.bobDevice.position(`u/${two.bob.id}`)).toBeLessThanOrEqual(own);
    for (const log of logs(two.bobDevice)) expect([...before, `c/${two.conversationId}`]).toContain(log);
  });

  it('are not reached through the id of another app`s session', async () => {
    const [alice] = await world.peopleOf(world.system.app, ['resumer']);
    const [double] = await world.peopleOf(world.system.otherApp, ['resumer']);
    if (alice === undefined || double === undefined) throw new Error('no users');
    const { id } = await world.create(alice);
    const first = await world.device(alice, { deviceId: 'phone' });
    await first.ask('watch', { conversationIds: [id] });
    const { sessionId } = first.welcome;
    first.socket.io.engine.close();
    await waitFor('the end of the connection', () => first.ended);
    await world.send(alice, id);
    const thief = await world.device(double, { deviceId: 'phone', sessionId });
    expect(thief.welcome.resumed).toBe(false);
    expect(thief.welcome.sessionId).not.toBe(sessionId);
    const { id: own } = await world.create(double);
    await thief.reach(`c/${own}`, await world.send(double, own));
    expect(thief.position(`c/${id}`)).toBe(0);
    // The rightful owner still finds it.
    const back = await world.device(alice, { deviceId: 'phone', sessionId });
    expect(back.welcome.resumed).toBe(true);
    await back.reach(`c/${id}`, 2);
  });
});
