import { describe, expect, it } from 'vitest';
import type { Request } from './support/http.ts';
import { addKey, claimsFor, craftToken, firstKey, makeKey, readAgain } from './support/tokens.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

const unread = (token: string | undefined, headers: Request['headers'] = {}) => world.http.call('getUnread', { token, headers });
const now = () => Math.floor(Date.now() / 1000);

describe('a token', () => {
  it.each(['HS256', 'RS256', 'ES256'] as const)('signed with %s opens what is the user`s', async (alg) => {
    const { app } = world.system;
    const key = await addKey(world.system, app, `ok-${alg}`, alg);
    (await unread(craftToken(key, claimsFor(app, 'signer')))).ok(200);
    using device = await world.device({ id: 'signer', token: craftToken(key, claimsFor(app, 'signer')) });
    expect(device.welcome.resumed).toBe(false);
  });

  it('creates its user on first use, over HTTP and over the socket', async () => {
    const { app, database } = world.system;
    const rows = async (id: string) => (await database.query('select 1 from chat_user where app_id = $1 and id = $2', [app.id, id])).length;
    expect(await rows('first-http')).toBe(0);
    (await unread(app.token('first-http'))).ok(200);
    expect(await rows('first-http')).toBe(1);
    using _device = await world.device({ id: 'first-socket', token: app.token('first-socket') });
    expect(await rows('first-socket')).toBe(1);
    const [ann] = await world.people('ann');
    expect((await world.create(ann, { members: [{ id: 'first-http', token: '' }] })).memberCount).toBe(2);
  });

  it('may be a little ahead of the server`s clock and live a day', async () => {
    const { app } = world.system;
    const key = firstKey(app);
    (await unread(craftToken(key, claimsFor(app, 'ann', { iat: now() + 45, exp: now() + 3_600 })))).ok(200);
    (await unread(craftToken(key, claimsFor(app, 'ann', { exp: now() + 24 * 3600 })))).ok(200);
    (await unread(craftToken(key, claimsFor(app, 'ann', { aud: 'nudge', extra: { is: 'ignored' } })))).ok(200);
  });

  it('may come under any spelling of Bearer', async () => {
    const token = world.system.app.token('ann');
    (await unread(undefined, { authorization: `bearer ${token}` })).ok(200);
    (await unread(undefined, { authorization: `BEARER ${token}` })).ok(200);
  });

  it('is refused when it is missing', async () => {
    (await unread(undefined)).refused('token_missing');
    (await unread(undefined, { authorization: '' })).refused('token_missing');
    (await unread(undefined, { authorization: 'Bearer' })).refused('token_missing');
    (await unread(undefined, { authorization: 'Basic YTpi' })).refused('token_missing');
  });

  it('is refused when it has expired, and says so only when everything else is in order', async () => {
    const { app } = world.system;
    const past = { iat: now() - 7200, exp: now() - 3600 };
    (await unread(craftToken(firstKey(app), claimsFor(app, 'ann', past)))).refused('token_expired');
    (await unread(craftToken(makeKey(`${app.id}.1`, 'HS256'), claimsFor(app, 'ann', past)))).refused('token_invalid');
  });

  it.each([
    ['iss is another app', { iss: 'two' }],
    ['iss is missing', { iss: undefined }],
    ['aud is another', { aud: 'other' }],
    ['aud is missing', { aud: undefined }],
    ['aud is a list', { aud: ['nudge', 'x'] }],
    ['sub is missing', { sub: undefined }],
    ['sub is no user id', { sub: 'a b' }],
    ['sub is a number', { sub: 7 }],
    ['iat is missing', { iat: undefined }],
    ['exp is missing', { exp: undefined }],
    ['exp is text', { exp: '4102444800' }],
    ['exp is a day and an hour away', { exp: Math.floor(Date.now() / 1000) + 25 * 3600 }],
    ['exp lies before iat', { iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) - 1 }],
    ['iat lies in the future', { iat: Math.floor(Date.now() / 1000) + 300, exp: Math.floor(Date.now() / 1000) + 600 }],
    ['nbf lies in the future', { nbf: Math.floor(Date.now() / 1000) + 600 }],
  ])('is refused when %s', async (_, changes) => {
    const { app } = world.system;
    (await unread(craftToken(firstKey(app), claimsFor(app, 'ann', changes)))).refused('token_invalid');
  });

  it('is refused with a key of the wrong kind, an unknown one or a retired one', async () => {
    const { app, otherApp } = world.system;
    const retired = await addKey(world.system, app, 'retired', 'HS256', { retired: true });
    const tokens = [
      craftToken(retired, claimsFor(app, 'ann')),
      craftToken({ ...firstKey(app), kid: 'one.unknown' }, claimsFor(app, 'ann')),
      craftToken({ ...firstKey(app), kid: `${app.id}.server` }, claimsFor(app, 'ann')),
      craftToken(firstKey(otherApp), claimsFor(app, 'ann')),
      craftToken(firstKey(app), claimsFor(app, 'ann'), { alg: 'HS512' }),
      craftToken(firstKey(app), claimsFor(app, 'ann'), { kid: undefined }),
    ];
    for (const token of tokens) (await unread(token)).refused('token_invalid');
  });

  it('is refused from the moment its key is retired', async () => {
    const { app, database } = world.system;
    const key = await addKey(world.system, app, 'leaving', 'HS256');
    const token = craftToken(key, claimsFor(app, 'ann'));
    (await unread(token)).ok(200);
    await database.query('update app_key set retired_at = now() where kid = $1', [key.kid]);
    await readAgain(world.system);
    (await unread(token)).refused('token_invalid');
  });

  it('that was minted opens the same doors', async () => {
    const { app } = world.system;
    const [ann] = await world.people('ann');
    const { token, expiresAt } = (await world.http.call('mintToken', { token: app.serverKey, params: { userId: ann.id } })).ok(201);
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    const { id } = await world.create({ id: ann.id, token });
    expect((await world.entries(ann, id)).head).toBe(1);
  });
});

describe('a server key', () => {
  it('opens /v1/admin and nothing else; a user token does not open it', async () => {
    const { app } = world.system;
    (await unread(app.serverKey)).refused('token_invalid');
    const users = { users: [{ id: 'ann' }] };
    (await world.http.call('upsertUsers', { token: app.serverKey, body: users })).ok(200);
    (await world.http.call('upsertUsers', { token: app.token('ann'), body: users })).refused('token_invalid');
    (await world.http.call('upsertUsers', { body: users })).refused('token_missing');
  });

  it('is refused with another secret, another kid, and when it is retired', async () => {
    const { app, database } = world.system;
    const cut = app.serverKey.lastIndexOf('_');
    const secret = app.serverKey.slice(cut + 1);
    const keys = [
      `${app.serverKey.slice(0, cut)}_${secret.replaceAll(/[0-9a-f]/g, '0')}`,
      `nsk_one.nobody_${secret}`,
      `nsk_${app.id}.1_${secret}`,
      `nsk__${secret}`,
      `nsk_${secret}`,
      app.serverKey.toUpperCase(),
    ];
    for (const key of keys)
      (await world.http.call('upsertUsers', { token: key, body: { users: [{ id: 'ann' }] } })).refused('token_invalid');
    const { serverKey } = world.system.otherApp;
    await database.query('update app_key set retired_at = now() where app_id = $1 and kind = $2', [world.system.otherApp.id, 'server']);
    await readAgain(world.system);
    (await world.http.call('upsertUsers', { token: serverKey, body: { users: [{ id: 'ann' }] } })).refused('token_invalid');
  });
});
