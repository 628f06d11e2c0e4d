import { recordSessionKick } from '@nudge/db';
import { createKickStore } from '@nudge/gateway';
import type { Revocations } from '@nudge/server-kit';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { Refused } from './support/device.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

/** Cut-offs as the poll of the primary would bring them. */
class TestRevocations implements Revocations {
  readonly #cutoffs = new Map<string, number>();
  readonly #listeners = new Set<Parameters<Revocations['onChange']>[0]>();
  fresh = true;

  revoke(appId: string, userId: string, validAfter: number): void {
    this.#cutoffs.set(`${appId}/${userId}`, validAfter);
    for (const listener of this.#listeners) listener(appId, userId, validAfter);
  }

  isRevoked(appId: string, userId: string, issuedAt: number): boolean {
    return issuedAt < (this.#cutoffs.get(`${appId}/${userId}`) ?? 0);
  }

  onChange(listener: Parameters<Revocations['onChange']>[0]): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  isFresh(): boolean {
    return this.fresh;
  }
}

let world: GatewayWorld;
let server: GatewayServer;
const revocations = new TestRevocations();
beforeAll(async () => {
  world = await createGatewayWorld();
  server = await startGatewayServer(world, { deps: { revocations } });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const kicked = { type: 'disconnect', code: 3504, reason: 'kicked' };
const sessionOf = ({ welcome }: { readonly welcome: { readonly sessionId: string } | undefined }) => welcome?.sessionId ?? '';
const live = () => server.metric('nudge_gateway_sessions_live');

describe('kick', () => {
  it('is final for a socket.io-client with its default settings too: it does not come back by itself', async () => {
    const auth = { token: server.token('k0'), deviceId: 'stock' };
    const socket = io(`http://127.0.0.1:${server.port}`, { transports: ['websocket'], forceNew: true, auth });
    try {
      const controls: unknown[] = [];
      socket.on('control', (control) => controls.push(control));
      const reason = new Promise((resolve) => socket.once('disconnect', resolve));
      await new Promise((resolve) => socket.once('welcome', resolve));
      await server.publishToUser('k0', { kind: 'kick', reason: 'kicked' });
      expect(await reason).toBe('io server disconnect');
      expect(socket.active).toBe(false);
      expect(controls).toEqual([kicked]);
    } finally {
      socket.disconnect();
    }
  });

  it('ends all sessions of the user, live and detached, and none can be resumed', async () => {
    const before = await live();
    const [phone, laptop, away, other, twin] = await Promise.all([
      server.connect('k1', { deviceId: 'phone' }),
      server.connect('k1', { deviceId: 'laptop' }),
      server.connect('k1', { deviceId: 'away' }),
      server.connect('k1-other'),
      server.connect('k1', { app: world.otherApp }),
    ]);
    const detached = await server.metric('nudge_gateway_sessions_detached');
    away.cut();
    await waitFor('the detachment', async () => (await server.metric('nudge_gateway_sessions_detached')) === detached + 1);
    await server.publishToUser('k1', { kind: 'kick', reason: 'kicked' });
    expect(await phone.disconnected()).toMatchObject(kicked);
    expect(await laptop.disconnected()).toMatchObject(kicked);
    await waitFor('the sessions to be gone', async () => (await live()) === before + 2);
    expect(await server.metric('nudge_gateway_sessions_detached')).toBe(detached);
    for (const device of [phone, away]) {
      const deviceId = device === phone ? 'phone' : 'away';
      const back = await server.connect('k1', { deviceId, sessionId: sessionOf(device) });
      expect(back.welcome?.resumed).toBe(false);
    }
    for (const device of [other, twin]) {
      await device.settled();
      expect(device.closedAt).toBeUndefined();
    }
  });

  it('ends those of one device, or a single one, and what they were to hear goes nowhere', async () => {
    const [phone, laptop] = [await server.connect('k2', { deviceId: 'phone' }), await server.connect('k2', { deviceId: 'laptop' })];
    await server.publishToUser('k2', { kind: 'kick', deviceId: 'phone', reason: 'token_revoked' });
    expect(await phone.disconnected()).toMatchObject({ code: 3501, reason: 'token_revoked' });
    await server.publishToUser('k2', { kind: 'key', log: 'c/after', seq: 1 });
    await waitFor('the key', () => laptop.heard('c/after') === 1);
    expect(phone.heard('c/after')).toBe(0);
    const again = await server.connect('k2', { deviceId: 'laptop' });
    await server.publishToUser('k2', { kind: 'kick', sessionId: sessionOf(again), reason: 'session_replaced' });
    expect(await again.disconnected()).toMatchObject({ code: 3503 });
    await laptop.settled();
    expect(laptop.closedAt).toBeUndefined();
  });

  it('takes the user offline and ends its typing', async () => {
    const id = await world.conversation(['k3', 'k3-bob']);
    const [device, bob, cem] = await Promise.all([server.connect('k3'), server.connect('k3-bob'), server.connect('k3-cem')]);
    await cem.call('presence.watch', { userIds: ['k3'] });
    for (const one of [device, bob]) await one.call('watch', { conversationIds: [id] });
    device.typing(id, true);
    await waitFor('typing', () => bob.typings.length === 1);
    await server.publishToUser('k3', { kind: 'kick', reason: 'kicked' });
    await waitFor('offline', () => cem.presences.some(({ status }) => status === 'offline'));
    await waitFor('the end of its typing', () => bob.typings.length === 2);
    expect(bob.typings.map(({ active }) => active)).toEqual([true, false]);
  });
});

describe('revocation', () => {
  it('ends sessions of tokens issued before the cut-off and keeps their holder out, and nobody else', async () => {
    const old = server.token('v1');
    const device = await server.connect('v1', { token: old, deviceId: 'old' });
    const other = await server.connect('v1-other');
    const twin = await server.connect('v1', { app: world.otherApp });
    revocations.revoke(world.app.id, 'v1', Date.now() + 1);
    expect(await device.disconnected()).toMatchObject({ code: 3501, reason: 'token_revoked' });
    const back = { token: old, deviceId: 'old', sessionId: sessionOf(device) };
    const refused: unknown = await server.connect('v1', back).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refused);
    expect((refused as Refused).data).toEqual({ code: 'token_revoked', retryable: false });
    for (const one of [other, twin]) {
      await one.settled();
      expect(one.closedAt).toBeUndefined();
    }
    revocations.revoke(world.app.id, 'v1', Date.now() - 60_000);
    expect((await server.connect('v1', { deviceId: 'old', sessionId: sessionOf(device) })).welcome?.resumed).toBe(false);
  });

  it('goes by the newest token of a session', async () => {
    const device = await server.connect('v2', { token: server.token('v2', { ttlSeconds: 600 }) });
    const cutoff = Math.floor(Date.now() / 1_000) * 1_000 + 1_000;
    await waitFor('a later second', () => Date.now() > cutoff);
    expect(await device.call('reauth', { token: server.token('v2', { ttlSeconds: 700 }) })).toMatchObject({ ok: true });
    revocations.revoke(world.app.id, 'v2', cutoff);
    await device.settled();
    expect(device.closedAt).toBeUndefined();
    revocations.revoke(world.app.id, 'v2', Date.now() + 1_000);
    expect(await device.disconnected()).toMatchObject({ code: 3501 });
  });

  it('lets nobody in while it is not known what was revoked', async () => {
    revocations.fresh = false;
    const refused: unknown = await server.connect('v3').catch((error: unknown) => error);
    revocations.fresh = true;
    expect((refused as Refused).data).toMatchObject({ code: 'database_unavailable', retryable: true });
    await server.connect('v3');
  });
});

describe('a session whose connection is still being made', () => {
  it('is told why it ended when it is kicked meanwhile', async () => {
    let kick: (() => Promise<void>) | undefined;
    await using slow = await startGatewayServer(world, {
      // The last thing a handshake waits for: its session is there, its connection is not.
      membership: (store) => ({
        ...store,
        async relations(users) {
          await kick?.();
          return store.relations(users);
        },
      }),
    });
    kick = () => slow.publishToUser('k4', { kind: 'kick', reason: 'kicked' });
    const raw = await slow.raw();
    raw.send(`40${JSON.stringify({ token: slow.token('k4'), deviceId: 'd' })}`);
    expect(await raw.closed()).toBe('kicked');
    expect(raw.frames.some((frame) => frame.startsWith('42["welcome"'))).toBe(false);
    expect(await slow.metric('nudge_gateway_sessions_live')).toBe(0);
    expect(await slow.metric('nudge_gateway_topics')).toBe(0);
  });
});

describe('a kick that only the database tells of', () => {
  it('ends what began before it, resumed since or not, and keeps what is excepted', async () => {
    await using polling = await startGatewayServer(world, { config: { kickPollMs: 100 }, deps: { kicks: createKickStore(world.pool) } });
    const kick = (userId: string, which?: Parameters<typeof recordSessionKick>[3]) =>
      recordSessionKick(world.pool, world.app.id, userId, which);
    const [phone, laptop, other, twin] = await Promise.all([
      polling.connect('k5', { deviceId: 'phone' }),
      polling.connect('k5', { deviceId: 'laptop' }),
      polling.connect('k5-other'),
      polling.connect('k5', { app: world.otherApp }),
    ]);
    phone.cut();
    await waitFor('the detachment', async () => (await polling.metric('nudge_gateway_sessions_detached')) === 1);
    await kick('k5');
    expect(await laptop.disconnected()).toMatchObject(kicked);
    expect(await polling.metric('nudge_gateway_sessions_detached')).toBe(0);
    const back = await polling.connect('k5', { deviceId: 'phone', sessionId: sessionOf(phone) });
    expect(back.welcome?.resumed).toBe(false);

    const kept = await polling.connect('k5', { deviceId: 'kept' });
    await kick('k5', { deviceId: 'phone' });
    expect(await back.disconnected()).toMatchObject(kicked);
    const again = await polling.connect('k5', { deviceId: 'phone' });
    await kick('k5', { exceptId: sessionOf(kept) });
    expect(await again.disconnected()).toMatchObject(kicked);
    await kick('k5-other', { sessionId: sessionOf(other) });
    expect(await other.disconnected()).toMatchObject(kicked);
    for (const device of [kept, twin]) {
      await device.settled();
      expect(device.closedAt).toBeUndefined();
    }
  });
});
