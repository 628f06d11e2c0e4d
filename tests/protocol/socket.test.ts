import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { openRaw, openRawSession, refusedUpgrade } from './support/raw-socket.ts';
import { connectDevice, refusedHandshake } from './support/socket.ts';
import { claimsFor, craftToken, firstKey } from './support/tokens.ts';
import { range, useWorld } from './support/world.ts';

const world = useWorld({ env: { LIMIT_SESSIONS_PER_USER: '4', LIMIT_WATCHED_CONVERSATIONS: '5' } });

/** A token of the app that ends in `seconds`, or ended that long ago. */
const shortToken = (userId: string, seconds: number) => {
  const { app } = world.system;
  const now = Math.floor(Date.now() / 1000);
  return craftToken(firstKey(app), claimsFor(app, userId, { iat: now - 100, exp: now + seconds }));
};

describe('a handshake', () => {
  it('is answered with one welcome', async () => {
    const [ann] = await world.people('ann');
    using device = await world.device(ann, { client: 'test/1' });
    expect(device.welcome).toMatchObject({ resumed: false, epoch: 1, heartbeat: { profile: 'wifi' } });
    await device.ask('presence.set', { status: 'online' });
    expect(device.heard('welcome')).toHaveLength(1);
  });

  it.each([
    ['no auth', {}],
    ['no token', { deviceId: 'd' }],
    ['no device', { token: 'x' }],
    ['a device with a space', { token: 'x', deviceId: 'a b' }],
    ['a session that is no UUID', { token: 'x', deviceId: 'd', sessionId: '1' }],
    ['a field nobody knows', { token: 'x', deviceId: 'd', userId: 'ann' }],
    ['a token that is a list', { token: ['x'], deviceId: 'd' }],
    ['a token of 5,000 characters', { token: 'x'.repeat(5_000), deviceId: 'd' }],
  ])('with %s is refused', async (_, auth) => {
    expect(await refusedHandshake(world.system.url, auth)).toMatchObject({ code: 'invalid_request', retryable: false });
  });

  it('with a token that is not in order is refused with its code', async () => {
    const { app, otherApp, url } = world.system;
    const refused = async (token: string) => (await refusedHandshake(url, { token, deviceId: 'd' })).code;
    expect(await refused('nonsense')).toBe('token_invalid');
    expect(await refused(app.serverKey)).toBe('token_invalid');
    expect(await refused(craftToken(firstKey(otherApp), claimsFor(app, 'ann')))).toBe('token_invalid');
    expect(await refused(shortToken('ann', -50))).toBe('token_expired');
  });

  it('of a user with too many sessions is refused, to be tried again', async () => {
    const [ann] = await world.people('ann');
    const devices = await Promise.all(range(1, 4).map((n) => world.device(ann, { deviceId: `d${n}` })));
    const refusal = await refusedHandshake(world.system.url, { token: ann.token, deviceId: 'd5' });
    expect(refusal).toMatchObject({ code: 'too_many_sessions', retryable: true });
    expect(refusal.retryAfterMs).toBeGreaterThan(0);
    devices[0]?.socket.disconnect();
    using _device = await waitFor('room for another session', () => connectDevice(world.system.url, { token: ann.token, deviceId: 'd5' }));
  });

  it('comes after an upgrade that is refused over HTTP for a foreign page, another transport or an unknown profile', async () => {
    const { url } = world.system;
    expect(await refusedUpgrade(url, { headers: { origin: 'https://evil.example' } })).toMatchObject({
      status: 403,
      body: { code: 'origin_forbidden' },
    });
    expect(await refusedUpgrade(url, { headers: { origin: 'null' } })).toMatchObject({ status: 403, body: { code: 'origin_forbidden' } });
    expect(await refusedUpgrade(url, { query: 'EIO=4&transport=polling' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
    expect(await refusedUpgrade(url, { query: 'EIO=3&transport=websocket' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
    expect(await refusedUpgrade(url, { query: 'EIO=4&transport=websocket&hb=satellite' })).toMatchObject({ status: 400 });
    const polling = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    expect(polling.status).toBeGreaterThanOrEqual(400);
    await polling.text();
  });

  it('is taken from the server`s own page and from pages on this machine', async () => {
    const [ann] = await world.people('ann');
    for (const origin of [world.system.url, 'http://localhost:5173']) {
      using device = await world.device(ann, { headers: { origin } });
      expect(device.welcome.resumed).toBe(false);
    }
  });

  it.each(['wifi', 'mobile', 'background'])('takes the heartbeat profile %s', async (hb) => {
    const [ann] = await world.people('ann');
    using device = await world.device(ann, { query: { hb } });
    const { intervalMs, timeoutMs } = device.welcome.heartbeat;
    expect(Math.min(intervalMs, timeoutMs)).toBeGreaterThan(0);
  });
});

describe('notify', () => {
  it('carries keys and nothing of what was written', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    using raw = await openRawSession(world.system.url, bob.token);
    const seq = await world.send(ann, id, 'the secret words');
    await raw.frame(new RegExp(`"c/${id}",${seq}`));
    expect(raw.frames.join('\n')).not.toContain('secret');
    expect(raw.frames.join('\n')).not.toContain(ann.id);
  });

  it('comes without a watch, and for conversations joined later too', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const device = await world.device(bob);
    const { id } = await world.create(ann);
    await world.send(ann, id);
    (await world.http.call('putMember', { token: ann.token, params: { conversationId: id, userId: bob.id } })).ok();
    const seq = await world.send(ann, id);
    await device.reach(`c/${id}`, seq);
  });

  it('ends with the membership', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const marker = await world.create(ann, { members: [bob] });
    const device = await world.device(bob);
    await device.ask('watch', { conversationIds: [id, marker.id] });
    (await world.http.call('removeMember', { token: ann.token, params: { conversationId: id, userId: bob.id } })).ok();
    const last = await world.sendMany(ann, id, 3);
    await device.reach(`c/${marker.id}`, await world.send(ann, marker.id));
    expect(device.position(`c/${id}`)).toBeLessThan(last - 2);
  });
});

describe('watch', () => {
  it('answers the heads of one`s conversations and refuses the others one by one', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { members: [bob] });
    const foreign = await world.create(eve);
    const missing = randomUUID();
    const seq = await world.send(ann, id);
    const device = await world.device(bob);
    expect(await device.ask('watch', { conversationIds: [id, foreign.id, missing, id] })).toEqual({
      ok: true,
      heads: { [id]: seq },
      refused: { [foreign.id]: 'not_found', [missing]: 'not_found' },
    });
    expect(await device.ask('unwatch', { conversationIds: [id, foreign.id] })).toEqual({ ok: true });
    expect(await device.ask('unwatch', { conversationIds: [id] })).toEqual({ ok: true });
  });

  it('is bounded per session, and what is unwatched makes room', async () => {
    const [ann] = await world.people('ann');
    const ids = (await Promise.all(range(1, 6).map(() => world.create(ann)))).map(({ id }) => id);
    const device = await world.device(ann);
    await device.askRefused('invalid_request', 'watch', { conversationIds: ids });
    expect(Object.keys((await device.ask('watch', { conversationIds: ids.slice(0, 5) })).heads)).toHaveLength(5);
    const sixth = ids[5] ?? '';
    expect((await device.ask('watch', { conversationIds: [sixth] })).refused).toEqual({ [sixth]: 'too_large' });
    await device.ask('unwatch', { conversationIds: ids.slice(0, 1) });
    expect((await device.ask('watch', { conversationIds: [sixth] })).heads).toEqual({ [sixth]: 1 });
  });

  it('holds no key back: a key after the answer is above the head it names', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const device = await world.device(bob);
    const sending = world.sendMany(ann, id, 20);
    const { heads } = await device.ask('watch', { conversationIds: [id] });
    const last = await sending;
    if ((heads[id] ?? 0) < last) await device.reach(`c/${id}`, last);
    expect(Math.max(heads[id] ?? 0, device.position(`c/${id}`))).toBe(last);
  });
});

describe('typing', () => {
  it('reaches who watches, but none of one`s own devices, and is not stored', async () => {
    const [ann, bob, cho] = await world.people('ann', 'bob', 'cho');
    const { id } = await world.create(ann, { members: [bob, cho] });
    const phone = await world.device(ann, { deviceId: 'phone' });
    const laptop = await world.device(ann, { deviceId: 'laptop' });
    const watcher = await world.device(bob);
    const bystander = await world.device(cho);
    for (const device of [phone, laptop, watcher]) await device.ask('watch', { conversationIds: [id] });
    phone.tell('typing', { conversationId: id, active: true });
    const heard = await watcher.hear('typing');
    expect(heard).toEqual({ conversationId: id, userId: ann.id, active: true, ttlMs: heard.ttlMs });
    expect(heard.ttlMs).toBeGreaterThan(0);
    phone.tell('typing', { conversationId: id, active: false });
    await watcher.hear('typing', ({ active }) => !active);
    // Every device hears the key that is sent after the typing.
    const seq = await world.send(ann, id);
    for (const device of [phone, laptop, bystander]) {
      await device.reach(`c/${id}`, seq);
      expect(device.heard('typing')).toEqual([]);
    }
    expect(seq).toBe(2);
  });

  it('is dropped in a conversation that is not watched or is somebody else`s', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { members: [bob] });
    const marker = await world.create(ann, { members: [bob] });
    const watcher = await world.device(bob);
    await watcher.ask('watch', { conversationIds: [id, marker.id] });
    const typist = await world.device(ann);
    await typist.ask('watch', { conversationIds: [marker.id] });
    const outsider = await world.device(eve);
    await outsider.ask('watch', { conversationIds: [id] });
    outsider.tell('typing', { conversationId: id, active: true });
    await outsider.ask('presence.set', { status: 'online' });
    typist.tell('typing', { conversationId: id, active: true });
    typist.tell('typing', { conversationId: marker.id, active: true });
    await watcher.hear('typing', ({ conversationId }) => conversationId === marker.id);
    expect(watcher.heard('typing').map(({ conversationId }) => conversationId)).toEqual([marker.id]);
  });

  it('ends when the device that typed goes away', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const watcher = await world.device(bob);
    const typist = await world.device(ann);
    await watcher.ask('watch', { conversationIds: [id] });
    await typist.ask('watch', { conversationIds: [id] });
    typist.tell('typing', { conversationId: id, active: true });
    await watcher.hear('typing', ({ active }) => active);
    typist.socket.disconnect();
    await watcher.hear('typing', ({ active }) => !active);
  });
});

describe('presence', () => {
  it('is answered for the users watched, and its changes follow', async () => {
    const [ann, bob, cho] = await world.people('ann', 'bob', 'cho');
    const watcher = await world.device(ann);
    const online = await world.device(bob);
    const { presence } = await watcher.ask('presence.watch', { userIds: [bob.id, cho.id] });
    expect(new Map(presence.map(({ userId, status }) => [userId, status]))).toEqual(
      new Map([
        [bob.id, 'online'],
        [cho.id, 'offline'],
      ]),
    );
    await online.ask('presence.set', { status: 'away' });
    await watcher.hear('presence', ({ userId, status }) => userId === bob.id && status === 'away');
    const comer = await world.device(cho);
    await watcher.hear('presence', ({ userId, status }) => userId === cho.id && status === 'online');
    comer.socket.disconnect();
    const gone = await watcher.hear('presence', ({ userId, status }) => userId === cho.id && status === 'offline');
    expect(Math.abs(Date.parse(gone.lastSeenAt ?? '') - Date.now())).toBeLessThan(5_000);
  });

  it('follows the newest list only', async () => {
    const [ann, bob, cho] = await world.people('ann', 'bob', 'cho');
    const watcher = await world.device(ann);
    const first = await world.device(bob);
    const second = await world.device(cho);
    await watcher.ask('presence.watch', { userIds: [bob.id] });
    await watcher.ask('presence.watch', { userIds: [cho.id] });
    await first.ask('presence.set', { status: 'away' });
    await second.ask('presence.set', { status: 'away' });
    await watcher.hear('presence', ({ userId }) => userId === cho.id);
    expect(watcher.heard('presence').map(({ userId }) => userId)).toEqual([cho.id]);
    expect(await watcher.ask('presence.watch', { userIds: [] })).toEqual({ ok: true, presence: [] });
  });

  it('is online while any of the devices is', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const phone = await world.device(bob, { deviceId: 'phone' });
    const laptop = await world.device(bob, { deviceId: 'laptop' });
    const watcher = await world.device(ann);
    await watcher.ask('presence.watch', { userIds: [bob.id] });
    await phone.ask('presence.set', { status: 'away' });
    expect((await watcher.ask('presence.watch', { userIds: [bob.id] })).presence[0]?.status).toBe('online');
    await laptop.ask('presence.set', { status: 'away' });
    expect((await watcher.ask('presence.watch', { userIds: [bob.id] })).presence[0]?.status).toBe('away');
  });
});

// Together, as each takes the life of a token, which is long enough for what must happen before its end.
describe.concurrent('a token on a live socket', () => {
  it('is announced before it ends, and the socket is cut with 3500 when it does', async () => {
    const [ann] = await world.people('ann');
    const device = await world.device({ id: ann.id, token: shortToken(ann.id, 8) });
    await device.hear('control', ({ type }) => type === 'token_expiring');
    expect(device.ended).toBeUndefined();
    expect(await device.cutOff()).toMatchObject({ code: 3500, reason: 'token_expired' });
  });

  it('can be renewed by reauth, which keeps the session', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const device = await world.device({ id: ann.id, token: shortToken(ann.id, 8) });
    // Its end is watched on another socket of the same age.
    const witness = await world.device({ id: bob.id, token: shortToken(bob.id, 8) });
    const token = shortToken(ann.id, 600);
    const { expiresAt } = await device.ask('reauth', { token });
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now() + 500_000);
    expect((await witness.cutOff()).code).toBe(3500);
    await device.ask('presence.set', { status: 'online' });
    expect(device.ended).toBeUndefined();
  });

  it('is not replaced by one of another user or app, or by nonsense', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const device = await world.device(ann);
    await device.askRefused('token_invalid', 'reauth', { token: bob.token });
    await device.askRefused('token_invalid', 'reauth', { token: world.system.otherApp.token(ann.id) });
    await device.askRefused('token_invalid', 'reauth', { token: 'x' });
    await device.askRefused('token_expired', 'reauth', { token: shortToken(ann.id, -5) });
    await device.ask('presence.set', { status: 'online' });
  });
});

describe('resume', () => {
  it('brings the keys that came meanwhile, and says so', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const before = await world.device(bob, { deviceId: 'phone' });
    before.socket.io.engine.close();
    await waitFor('the end of the connection', () => before.ended);
    const seq = await world.send(ann, id);
    const after = await world.device(bob, { deviceId: 'phone', sessionId: before.welcome.sessionId });
    expect(after.welcome).toMatchObject({ resumed: true, sessionId: before.welcome.sessionId });
    await after.reach(`c/${id}`, seq);
  });

  it('keeps what was watched', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const before = await world.device(bob, { deviceId: 'phone' });
    const typist = await world.device(ann);
    await typist.ask('watch', { conversationIds: [id] });
    await before.ask('watch', { conversationIds: [id] });
    before.socket.io.engine.close();
    await waitFor('the end of the connection', () => before.ended);
    const after = await world.device(bob, { deviceId: 'phone', sessionId: before.welcome.sessionId });
    typist.tell('typing', { conversationId: id, active: true });
    await after.hear('typing', ({ active }) => active);
  });

  it('is for the same device of the same user alone', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const before = await world.device(ann, { deviceId: 'phone' });
    const { sessionId } = before.welcome;
    before.socket.io.engine.close();
    await waitFor('the end of the connection', () => before.ended);
    expect((await world.device(bob, { deviceId: 'phone', sessionId })).welcome).toMatchObject({ resumed: false });
    expect((await world.device(ann, { deviceId: 'laptop', sessionId })).welcome).toMatchObject({ resumed: false });
    expect((await world.device(ann, { deviceId: 'phone', sessionId: randomUUID() })).welcome.resumed).toBe(false);
  });

  it('takes a session over from a connection that still lives, which is told 3503', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const first = await world.device(bob, { deviceId: 'phone' });
    const second = await world.device(bob, { deviceId: 'phone', sessionId: first.welcome.sessionId });
    expect(second.welcome.resumed).toBe(true);
    expect(await first.cutOff()).toMatchObject({ code: 3503, reason: 'session_replaced' });
    await second.reach(`c/${id}`, await world.send(ann, id));
  });
});

describe('a client that breaks the protocol', () => {
  it('is told 3502 for an event that cannot be refused, and refused for one that can', async () => {
    const [ann] = await world.people('ann');
    const asking = await world.device(ann, { deviceId: 'a' });
    await asking.askRefused('invalid_request', 'watch', {});
    await asking.askRefused('invalid_request', 'no.such.event', {});
    await asking.askRefused('invalid_request', 'watch', { conversationIds: [randomUUID()] }, 'one too many');
    await asking.askRefused('invalid_request', 'watch');
    const telling = await world.device(ann, { deviceId: 'b' });
    telling.tell('no.such.event', {});
    expect(await telling.cutOff()).toMatchObject({ code: 3502, reason: 'protocol_error' });
    await asking.ask('presence.set', { status: 'online' });
  });

  it('is cut with 3003 when it floods', async () => {
    const [ann] = await world.people('ann');
    const device = await world.device(ann);
    for (const _ of range(1, 2_000)) device.tell('typing', { conversationId: randomUUID(), active: true });
    const { code, reason, retryAfterMs } = await device.cutOff();
    expect({ code, reason }).toEqual({ code: 3003, reason: 'too_many_events' });
    expect(retryAfterMs).toBeGreaterThan(0);
  });

  it('is closed when it does not say who it is before it speaks', async () => {
    using raw = await openRaw(world.system.url);
    raw.send('42["watch",{"conversationIds":[]}]');
    const refusal = await raw.frame(/^44/);
    expect(JSON.parse(refusal.slice(2))).toMatchObject({ data: { code: 'invalid_request', retryable: false } });
    await raw.closed();
  });
});
