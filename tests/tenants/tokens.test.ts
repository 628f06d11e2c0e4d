import { describe, expect, it } from 'vitest';
import { refusedHandshake } from '../protocol/support/socket.ts';
import { addKey, claimsFor, craftToken, firstKey } from '../protocol/support/tokens.ts';
import { useWorld } from '../protocol/support/world.ts';

const world = useWorld({ env: { LIMIT_MARKS_PER_10_SECONDS: '5', LIMIT_SESSIONS_PER_USER: '2' } });

describe('a token of one app', () => {
  it('is refused wherever any part of it names the other', async () => {
    const { app: one, otherApp: two } = world.system;
    const rsa = await addKey(world.system, one, 'rsa', 'RS256');
    const forged = {
      'the first`s claims under the second`s kid': craftToken({ ...firstKey(one), kid: firstKey(two).kid }, claimsFor(one, 'alice')),
      'the second`s claims under the first`s kid': craftToken(firstKey(one), claimsFor(two, 'alice')),
      'the second`s claims and kid, signed by the first': craftToken({ ...firstKey(one), kid: firstKey(two).kid }, claimsFor(two, 'alice')),
      'the first`s claims and kid, signed by the second': craftToken({ ...firstKey(two), kid: firstKey(one).kid }, claimsFor(one, 'alice')),
      'a kid with the other app in front': craftToken({ ...firstKey(one), kid: `${two.id}.${firstKey(one).kid}` }, claimsFor(two, 'alice')),
      'an RSA key of the first for the second': craftToken(rsa, claimsFor(two, 'alice')),
      'a list of issuers': craftToken(firstKey(one), claimsFor(one, 'alice', { iss: [one.id, two.id] })),
      'claims for both': craftToken(firstKey(one), claimsFor(two, 'alice', { app: one.id, appId: one.id })),
    };
    const device = await world.device({ id: 'alice', token: one.token('alice') });
    for (const [what, token] of Object.entries(forged)) {
      const answer = await world.http.call('getUnread', { token });
      expect(answer.status, what).toBe(401);
      answer.refused('token_invalid');
      expect((await refusedHandshake(world.system.url, { token, deviceId: 'd' })).code, what).toBe('token_invalid');
      await device.askRefused('token_invalid', 'reauth', { token });
    }
  });

  it('with a server key of the other is no server key', async () => {
    const { app: one, otherApp: two } = world.system;
    const secretOf = (key: string) => key.slice(key.lastIndexOf('_') + 1);
    const mixed = `nsk_${two.id}.server_${secretOf(one.serverKey)}`;
    (await world.http.call('upsertUsers', { token: mixed, body: { users: [{ id: 'alice' }] } })).refused('token_invalid');
  });
});

describe('the limits of one app`s user', () => {
  it('are not used up by the other`s of the same name', async () => {
    const { app: one, otherApp: two } = world.system;
    const [alice] = await world.peopleOf(one, ['alice']);
    const [double] = await world.peopleOf(two, ['alice']);
    if (alice === undefined || double === undefined) throw new Error('no users');
    const { id } = await world.create(alice);
    const { id: own } = await world.create(double);
    const mark = (token: string, conversationId: string) =>
      world.http.call('markRead', { token, params: { conversationId }, body: { seq: 1 } });
    const burst = await Promise.all(Array.from({ length: 30 }, () => mark(alice.token, id)));
    expect(burst.some(({ status }) => status === 429)).toBe(true);
    const answer = await mark(double.token, own);
    answer.ok();
    expect(answer.headers.get('ratelimit-remaining')).toBe('4');
  });

  it('count sessions apart, also those of one device id', async () => {
    const { app: one, otherApp: two } = world.system;
    const alice = { id: 'crowded', token: one.token('crowded') };
    await world.device(alice, { deviceId: 'a' });
    await world.device(alice, { deviceId: 'b' });
    expect((await refusedHandshake(world.system.url, { token: alice.token, deviceId: 'c' })).code).toBe('too_many_sessions');
    const double = await world.device({ id: 'crowded', token: two.token('crowded') }, { deviceId: 'a' });
    expect(double.welcome.resumed).toBe(false);
  });
});
