import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readConfig } from '@nudge/server-kit';
import { defaultLimits, type LimitName, limitVariable } from '@nudge/types';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { actsOn } from './support/acts.ts';
import { openRaw, refusedUpgrade } from './support/raw-socket.ts';
import { refusedHandshake } from './support/socket.ts';
import { range, useWorld } from './support/world.ts';

/** Every bound as low as a test can have it. */
const lowered = {
  messageBodyBytes: 200,
  metadataBytes: 50,
  socketFrameBytes: 2_000,
  httpBodyBytes: 2_000,
  adminBodyBytes: 4_000,
  jsonDepth: 6,
  pageEntries: 5,
  syncLogs: 2,
  syncEntries: 6,
  tooLongEntries: 4,
  watchedConversations: 2,
  watchedUsers: 2,
  sessionsPerUser: 2,
  membersPerRequest: 3,
  adminMembersPerRequest: 4,
  usersPerUpsert: 10,
  mentionsPerMessage: 2,
  reactionsPerMessage: 2,
  pinsPerConversation: 2,
  scheduledPerUser: 2,
  scheduleAheadSeconds: 3_600,
  expirySeconds: 3_600,
  slowModeSeconds: 60,
  retentionSeconds: 3_600,
  draftBytes: 50,
  blocksPerUser: 1,
  receiptMembers: 2,
  eventPayloadBytes: 50,
  usersPerQuery: 2,
  conversationsPerUser: 4,
  tokenLifetimeSeconds: 3_600,
  writesPer10Seconds: 30,
  readsPer10Seconds: 40,
  marksPer10Seconds: 3,
  socketEventsPer10Seconds: 10,
  typingPer10Seconds: 3,
  customEventsPer10Seconds: 3,
} as const satisfies Partial<Record<LimitName, number>>;

/** Bounds that only a load can reach, and where that is done. */
const elsewhere: Partial<Record<LimitName, string>> = {
  waitForMinMs: 'needs a replica that lags: the tests of the pull side',
  pendingKeys: 'needs a paused socket: the tests of faults',
  gatewaySockets: 'below, on a gateway of its own',
  handshakesPerSecond: 'below, on a gateway of its own',
  handshakesPerAddressPer10Seconds: 'below, on a gateway of its own',
  adminPer10Seconds: 'below, on a gateway of its own',
  eventLoopDelayMs: 'needs a stalled process',
  requestsInFlight: 'the tests of bad input: requests that do not end',
  requestsInFlightPerUser: 'the tests of bad input: requests that do not end',
  appendQueue: 'the tests of the write side',
  usersPerStatusQuery: 'the tests of sessions',
};

const variables = (limits: Partial<Record<LimitName, number>>): Record<string, string> =>
  Object.fromEntries(Object.entries(limits).map(([name, value]) => [limitVariable(name as LimitName), String(value)]));

const world = useWorld({ env: variables(lowered) });
const acts = actsOn(() => world.http);

describe('limits', () => {
  it('are all either lowered here or named with the place that does', () => {
    expect([...Object.keys(lowered), ...Object.keys(elsewhere)].toSorted()).toEqual(Object.keys(defaultLimits).toSorted());
  });

  it.each(Object.keys(defaultLimits) as LimitName[])('%s is overridden by its variable', (name) => {
    expect(readConfig({ [limitVariable(name)]: '12345' }).limits[name]).toBe(12_345);
    for (const value of ['0', '-1', '1.5', 'many', '1e3']) {
      expect(() => readConfig({ [limitVariable(name)]: value }), value).toThrow(limitVariable(name));
    }
  });

  it('that do not exist are refused, with the nearest that does', () => {
    expect(() => readConfig({ LIMIT_PAGE_ENTRY: '3' })).toThrow('LIMIT_PAGE_ENTRIES');
  });

  it('are explained where PROTOCOL.md says they are', async () => {
    const text = await readFile(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
    expect(text).toContain('packages/types/src/limits.ts');
    expect(limitVariable('pageEntries')).toBe('LIMIT_PAGE_ENTRIES');
  });
});

describe('an error about a limit names it', () => {
  const send = async (body: unknown) => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    return world.http.call('sendMessage', { token: ann.token, params: { conversationId: id }, body: { clientMsgId: 'x', body } });
  };

  it('messageBodyBytes, httpBodyBytes, jsonDepth', async () => {
    expect((await send({ text: 'x'.repeat(200) })).refused('too_large').detail).toContain('messageBodyBytes');
    expect((await send({ text: 'x'.repeat(3_000) })).refused('too_large').detail).toContain('httpBodyBytes');
    expect((await send({ a: [[[[[1]]]]] })).refused('invalid_request').detail).toContain('jsonDepth');
    (await send({ a: [[[[1]]]] })).ok(201);
  });

  it('metadataBytes, membersPerRequest', async () => {
    const [ann] = await world.people('ann');
    const create = (body: object) => world.http.call('createConversation', { token: ann.token, body: { type: 'group', ...body } });
    expect((await create({ metadata: { text: 'x'.repeat(50) } })).refused('too_large').detail).toContain('metadataBytes');
    expect(JSON.stringify((await create({ members: ['a', 'b', 'c', 'd'] })).refused('invalid_request').issues)).toContain('3');
  });

  it('adminBodyBytes, adminMembersPerRequest, usersPerUpsert', async () => {
    const admin = <Name extends 'upsertUsers' | 'adminCreateConversation'>(name: Name, body: unknown) =>
      world.http.call(name, { token: world.system.app.serverKey, body });
    const users = (count: number, displayName: string) => ({ users: range(1, count).map((n) => ({ id: `u${n}`, displayName })) });
    (await admin('upsertUsers', users(10, 'x'))).ok(200);
    (await admin('upsertUsers', users(11, 'x'))).refused('invalid_request');
    expect((await admin('upsertUsers', users(11, 'x'.repeat(500)))).refused('too_large').detail).toContain('adminBodyBytes');
    const crowd = (count: number) => ({ type: 'group', createdBy: 'u1', members: range(2, count + 1).map((n) => `u${n}`) });
    (await admin('adminCreateConversation', crowd(5))).refused('invalid_request');
    (await admin('adminCreateConversation', crowd(4))).ok(201);
  });

  it('conversationsPerUser', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    for (const _ of range(1, 4)) await world.create(ann);
    const again = await world.http.call('createConversation', { token: ann.token, body: { type: 'group' } });
    expect(again.refused('invalid_request').detail).toContain('conversationsPerUser');
    const { id } = await world.create(bob);
    const put = await world.http.call('putMember', { token: bob.token, params: { conversationId: id, userId: ann.id } });
    expect(put.refused('invalid_request').detail).toContain('conversationsPerUser');
  });

  it('pageEntries, syncLogs, syncEntries, tooLongEntries', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await world.sendMany(ann, id, 7);
    const { entries, more } = await world.entries(ann, id, { after: 0 });
    expect([entries.length, more]).toEqual([5, true]);
    (await world.http.call('listEntries', { token: ann.token, params: { conversationId: id }, query: { limit: 6 } })).refused(
      'invalid_request',
    );
    (await world.http.call('sync', { token: ann.token, body: { limit: 7 } })).refused('invalid_request');
    const three = Object.fromEntries(range(1, 3).map(() => [randomUUID(), { after: 0 }]));
    expect(
      JSON.stringify(
        (await world.http.call('sync', { token: ann.token, body: { conversations: three } })).refused('invalid_request').issues,
      ),
    ).toContain('syncLogs');
    expect((await world.sync(ann, { conversations: { [id]: { after: 3 } } })).conversations[id]).toHaveProperty('tooLong');
    expect((await world.sync(ann, { conversations: { [id]: { after: 4 } } })).conversations[id]).not.toHaveProperty('tooLong');
  });

  it('mentionsPerMessage, expirySeconds, scheduleAheadSeconds, scheduledPerUser', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const later = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();
    const three = (await acts.send(ann, id, 'x', { mentions: ['a', 'b', 'c'] })).refused('invalid_request');
    expect(JSON.stringify(three)).toContain('mentionsPerMessage');
    expect(JSON.stringify((await acts.send(ann, id, 'x', { expiresIn: 3_601 })).refused('invalid_request').issues)).toContain('3600');
    (await acts.send(ann, id, 'x', { expiresIn: 3_600 })).ok(201);
    const far = (await acts.send(ann, id, 'x', { sendAt: later(3_700) })).refused('invalid_request');
    expect(JSON.stringify(far)).toContain('scheduleAheadSeconds');
    for (const _ of range(1, 2)) (await acts.send(ann, id, 'x', { sendAt: later(3_000) })).ok(202);
    expect((await acts.send(ann, id, 'x', { sendAt: later(3_000) })).refused('limit_reached').detail).toContain('scheduledPerUser');
  });

  it('reactionsPerMessage, pinsPerConversation', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await world.sendMany(ann, id, 3);
    for (const emoji of ['👍', '🎉']) (await acts.react(ann, id, 2, emoji)).ok();
    expect((await acts.react(ann, id, 2, '🐟')).refused('limit_reached').detail).toContain('reactionsPerMessage');
    for (const seq of [2, 3]) (await acts.pin(ann, id, seq)).ok();
    expect((await acts.pin(ann, id, 4)).refused('limit_reached').detail).toContain('pinsPerConversation');
  });

  it('slowModeSeconds, retentionSeconds, draftBytes', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    for (const [field, bound] of [
      ['slowModeSeconds', 60],
      ['retentionSeconds', 3_600],
    ] as const) {
      const problem = (await acts.update(ann, id, { [field]: bound + 1 })).refused('invalid_request');
      expect(JSON.stringify(problem.issues)).toContain(String(bound));
      (await acts.update(ann, id, { [field]: bound })).ok();
    }
    const draft = { token: ann.token, params: { conversationId: id }, body: { draft: { text: 'x'.repeat(50) } } };
    expect((await world.http.call('updatePreferences', draft)).refused('too_large').detail).toContain('draftBytes');
  });

  it('blocksPerUser, usersPerQuery', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const block = (userId: string) => world.http.call('blockUser', { token: ann.token, params: { userId } });
    (await block(bob.id)).ok();
    expect((await block(cem.id)).refused('limit_reached').detail).toContain('blocksPerUser');
    const profiles = await world.http.call('getUsers', { token: ann.token, query: { ids: 'a,b,c' } });
    expect(JSON.stringify(profiles.refused('invalid_request').issues)).toContain('usersPerQuery');
    const presence = await world.http.call('getPresence', { token: ann.token, query: { users: 'a,b,c' } });
    expect(JSON.stringify(presence.refused('invalid_request').issues)).toContain('usersPerQuery');
  });

  it('tokenLifetimeSeconds', async () => {
    const [ann] = await world.people('ann');
    const mint = (ttlSeconds: number) =>
      world.http.call('mintToken', { token: world.system.app.serverKey, params: { userId: ann.id }, body: { ttlSeconds } });
    (await mint(3_601)).refused('invalid_request');
    (await mint(3_600)).ok(201);
  });

  it('writesPer10Seconds, readsPer10Seconds, marksPer10Seconds, each counted alone', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const until429 = async (call: () => Promise<{ readonly status: number; readonly text: string }>) => {
      for (const n of range(1, 100)) {
        const { status, text } = await call();
        if (status === 429) return { n, text };
      }
      throw new Error('never refused');
    };
    const marks = await until429(() => world.http.call('markRead', { token: ann.token, params: { conversationId: id }, body: { seq: 1 } }));
    // At least as many as the bound; a few more, since they come back bit by bit.
    const within = (n: number, bound: number) => n > bound && n <= 2 * bound + 1;
    expect([within(marks.n, 3), marks.text.includes('marksPer10Seconds')]).toEqual([true, true]);
    const writes = await until429(() => acts.send(ann, id, {}));
    expect([within(writes.n + 1, 30), writes.text.includes('writesPer10Seconds')]).toEqual([true, true]);
    const reads = await until429(() => world.http.call('getConversation', { token: ann.token, params: { conversationId: id } }));
    expect([within(reads.n, 40), reads.text.includes('readsPer10Seconds')]).toEqual([true, true]);
  });
});

describe('limits of a socket', () => {
  it('sessionsPerUser', async () => {
    const [ann] = await world.people('ann');
    await world.device(ann, { deviceId: 'a' });
    await world.device(ann, { deviceId: 'b' });
    expect((await refusedHandshake(world.system.url, { token: ann.token, deviceId: 'c' })).code).toBe('too_many_sessions');
  });

  it('watchedConversations, watchedUsers, socketEventsPer10Seconds', async () => {
    const [ann] = await world.people('ann');
    const device = await world.device(ann);
    await device.askRefused('invalid_request', 'watch', { conversationIds: range(1, 3).map(() => randomUUID()) });
    await device.askRefused('invalid_request', 'presence.watch', { userIds: ['a', 'b', 'c'] });
    for (const _ of range(1, 10)) await device.ask('presence.watch', { userIds: ['a', 'b'] });
    await device.askRefused('rate_limited', 'presence.set', { status: 'away' });
    expect(device.ended).toBeUndefined();
  });

  it('typingPer10Seconds: what is above it is dropped', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const watcher = await world.device(bob);
    const typist = await world.device(ann);
    await watcher.ask('watch', { conversationIds: [id] });
    await typist.ask('watch', { conversationIds: [id] });
    const active = (n: number) => n % 2 === 1;
    for (const n of range(1, 3)) {
      typist.tell('typing', { conversationId: id, active: active(n) });
      await waitFor(`typing ${n}`, () => watcher.heard('typing').length === n);
    }
    for (const n of range(4, 9)) typist.tell('typing', { conversationId: id, active: active(n) });
    // Acknowledged after the typing was dealt with; what that relayed is in the watcher's pipe before the key.
    await typist.ask('presence.set', { status: 'online' });
    await watcher.reach(`c/${id}`, await world.send(ann, id));
    expect(watcher.heard('typing')).toHaveLength(3);
  });

  it('customEventsPer10Seconds, eventPayloadBytes: what is above the one is dropped, above the other refused', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const watcher = await world.device(bob);
    const sender = await world.device(ann);
    await watcher.ask('watch', { conversationIds: [id] });
    await sender.ask('watch', { conversationIds: [id] });
    const wave = (payload: object) => sender.tell('event', { conversationId: id, name: 'wave', payload });
    await sender.askRefused('invalid_request', 'event', { conversationId: id, name: 'wave', payload: { text: 'x'.repeat(50) } });
    for (const n of range(1, 2)) {
      wave({ n });
      await waitFor(`event ${n}`, () => watcher.heard('event').some(({ payload }) => payload.n === n));
    }
    for (const n of range(3, 6)) wave({ n });
    await sender.ask('presence.set', { status: 'online' });
    await watcher.reach(`c/${id}`, await world.send(ann, id));
    const heard = watcher.heard('event').map(({ payload }) => payload);
    expect(heard.length).toBeLessThanOrEqual(3);
    expect(heard.every((payload) => typeof payload.n === 'number')).toBe(true);
    expect(sender.ended).toBeUndefined();
  });

  it('receiptMembers: above it receipts are asked for, not pushed', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const small = await world.create(ann, { members: [bob] });
    const large = await world.create(ann, { members: [bob, cem] });
    const watcher = await world.device(ann);
    await watcher.ask('watch', { conversationIds: [small.id, large.id] });
    const deliver = (conversationId: string) =>
      world.http.call('markDelivered', { token: bob.token, params: { conversationId }, body: { seq: 2 } });
    for (const { id } of [small, large]) await world.send(ann, id);
    (await deliver(large.id)).ok();
    (await deliver(small.id)).ok();
    await watcher.hear('receipt', ({ conversationId }) => conversationId === small.id);
    await watcher.reach(`c/${large.id}`, await world.send(bob, large.id));
    expect(watcher.heard('receipt').filter(({ conversationId }) => conversationId === large.id)).toEqual([]);
  });

  it('socketFrameBytes: a bigger frame ends the connection', async () => {
    const [ann] = await world.people('ann');
    const device = await world.device(ann);
    device.tell('presence.set', { status: 'x'.repeat(2_000) });
    await device.cutOff();
  });
});

describe('limits of a gateway', () => {
  const busy = useWorld({ env: variables({ gatewaySockets: 3, handshakesPerSecond: 100, adminPer10Seconds: 20 }) });
  const rushed = useWorld({ env: variables({ handshakesPerSecond: 2 }) });
  const shared = useWorld({ env: { ...variables({ handshakesPerAddressPer10Seconds: 3 }), TRUST_PROXY: 'loopback' } });

  it('gatewaySockets refuses with overloaded, to be tried again', async () => {
    const people = await busy.people('a', 'b', 'c', 'd');
    for (const person of people.slice(0, 3)) await busy.device(person);
    const refusal = await refusedHandshake(busy.system.url, { token: people[3].token, deviceId: 'd' });
    expect(refusal).toMatchObject({ code: 'overloaded', retryable: true });
    expect(refusal.retryAfterMs).toBeGreaterThan(0);
  });

  it('handshakesPerSecond refuses softly first, and before the upgrade far above it', async () => {
    const token = rushed.system.app.token('ann');
    const knock = async () => {
      const soft = refusedHandshake(rushed.system.url, { token, deviceId: 'd' }).then(({ code }) => code);
      return soft.catch(() => 'in or refused before the upgrade');
    };
    const codes = await Promise.all(range(1, 12).map(knock));
    expect(new Set(codes)).toContain('overloaded');
    const hard = await Promise.allSettled(range(1, 12).map(() => refusedUpgrade(rushed.system.url)));
    const refused = hard.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const { status, body, headers } of refused) {
      expect(status).toBe(503);
      expect(body).toMatchObject({ code: 'overloaded', retryable: true });
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
  });

  it('handshakesPerAddressPer10Seconds refuses before the upgrade, by the address that a trusted proxy names', async () => {
    const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
    for (const _ of range(1, 3)) (await openRaw(shared.system.url, from('192.0.2.1')))[Symbol.dispose]();
    const { status, body, headers } = await refusedUpgrade(shared.system.url, from('192.0.2.1'));
    expect(status).toBe(503);
    expect(body).toMatchObject({
      code: 'overloaded',
      retryable: true,
      detail: expect.stringContaining('handshakesPerAddressPer10Seconds'),
    });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    (await openRaw(shared.system.url, from('192.0.2.2')))[Symbol.dispose]();
  });

  it('adminPer10Seconds is counted per server key', async () => {
    const call = (key: string) => busy.http.call('mintToken', { token: key, params: { userId: 'nobody-here' }, body: {} });
    const { app, otherApp } = busy.system;
    // Far more than there may be: one of the twenty comes back every half a second.
    const answers = await Promise.all(range(1, 60).map(() => call(app.serverKey)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) answer.refused('rate_limited');
    (await call(otherApp.serverKey)).refused('not_found');
  });
});
