import { createAdmission, type Identity, MemorySessionRegistry, NudgeError, type SessionRecord } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seedApp } from '../../support/seed.ts';
import { waitFor } from '../../support/wait-for.ts';
import { Refused } from './support/device.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

let world: GatewayWorld;
beforeAll(async () => {
  world = await createGatewayWorld();
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

async function refusal(server: GatewayServer, userId: string, deviceId: string, app = world.app): Promise<Refused['data']> {
  const error: unknown = await server.connect(userId, { deviceId, app }).catch((reason: unknown) => reason);
  if (!(error instanceof Refused)) throw new Error('not refused', { cause: error });
  return error.data;
}

it.each(['while the registry is asked', 'while the row of the user is made'])(
  'keeps out who is banned %s, and ends no other session for it',
  async (moment) => {
    const app = await seedApp(world.database, moment.includes('row') ? 'rows' : 'reads');
    await world.database.query('update app set settings = $2 where id = $1', [app.id, '{"sessionPolicy": {"maxSessions": 1}}']);
    let banned = false;
    let banNow = false;
    const pass = async () => {
      banned ||= banNow;
    };
    class Registry extends MemorySessionRegistry {
      override async sessionsOf(appId: string, userId: string): Promise<SessionRecord[]> {
        if (moment.includes('registry')) await pass();
        return super.sessionsOf(appId, userId);
      }
    }
    const judge = () => {
      if (banned) throw new NudgeError('user_banned');
    };
    const remembered = createAdmission({ ensure: async () => undefined, judge });
    const forgetful = (identity: Identity) => createAdmission({ ensure: pass, judge })(identity);
    const admit = moment.includes('row') ? forgetful : remembered;
    await using registry = new Registry();
    await using server = await startGatewayServer(world, { registry, deps: { admit } });
    const there = await server.connect('ann', { app, deviceId: 'a' });
    banNow = true;
    expect(await refusal(server, 'ann', 'b', app)).toEqual({ code: 'user_banned', retryable: false });
    await there.settled();
    expect(there.closedAt).toBeUndefined();
    banned = false;
    await waitFor('nothing to be left of it', async () => (await registry.sessionsOf(app.id, 'ann')).length === 1);
    expect(await server.metric('nudge_gateway_sessions_live')).toBe(1);
  },
);

it('refuses handshakes while nothing may be served, to be tried again, and leaves who is there', async () => {
  let why: string | undefined;
  await using server = await startGatewayServer(world, { deps: { refusal: () => why } });
  const there = await server.connect('ann', { deviceId: 'a' });
  why = 'the database was restored';
  expect(await refusal(server, 'ann', 'b')).toMatchObject({
    code: 'database_unavailable',
    retryable: true,
    retryAfterMs: expect.any(Number),
  });
  await there.settled();
  why = undefined;
  await server.connect('ann', { deviceId: 'b' });
});

it('takes no more handshakes from one address than its share, and those of others meanwhile', async () => {
  let address = '192.0.2.1';
  const limits = { handshakesPerAddressPer10Seconds: 5, handshakesPerSecond: 4 };
  await using server = await startGatewayServer(world, {
    limits,
    clock: new ManualClock(Date.now()),
    deps: { clientAddress: () => address },
  });
  const knock = async () => (await server.raw()).terminate();
  const outcomes = await Promise.allSettled(Array.from({ length: 40 }, knock));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  address = '192.0.2.2';
  // The rest of the first address counted for nothing, not even for what the gateway starts in a second.
  await server.connect('ann');
  expect(await server.metric('nudge_gateway_handshakes_refused_total{code="http_503"}')).toBe(35);
});

it('keeps nobody out for the forged tokens of another address, whose share they use up', async () => {
  let address = '192.0.2.1';
  const limits = { handshakesPerAddressPer10Seconds: 25, handshakesPerSecond: 6 };
  await using server = await startGatewayServer(world, {
    limits,
    clock: new ManualClock(Date.now()),
    deps: { clientAddress: () => address },
  });
  const codes: unknown[] = [];
  const forge = async () => {
    const error: unknown = await server.connect('ann', { token: 'not.a.token' }).catch((reason: unknown) => reason);
    codes.push(error instanceof Refused ? (error.data?.code ?? 'not upgraded') : 'welcome');
  };
  while (codes.length < 9) await forge();
  // Two count ten each; for more there is no room, so that the others count one each until the share is used up.
  expect(codes).toEqual([...Array.from({ length: 7 }, () => 'token_invalid'), 'not upgraded', 'not upgraded']);
  address = '192.0.2.2';
  await Promise.all(['a', 'b', 'c', 'd'].map((deviceId) => server.connect('ann', { deviceId })));
});
