import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SessionRecord, SessionRegistry } from '../ports/session-registry.ts';

/** A registry and a way to let its time pass. */
export interface SessionRegistryHarness {
  readonly registry: SessionRegistry;
  advance(ms: number): void | Promise<void>;
}

const ttlMs = 1_000;

/** What every session registry keeps. `create` opens a new, empty one. */
export function sessionRegistryConformance(create: () => SessionRegistryHarness | Promise<SessionRegistryHarness>): void {
  describe('session registry', () => {
    let registry: SessionRegistry;
    let advance: SessionRegistryHarness['advance'];
    const record = (over: Partial<SessionRecord> = {}): SessionRecord => ({
      appId: 'app',
      userId: 'alice',
      deviceId: 'phone',
      sessionId: 's1',
      gatewayId: 'g1',
      status: 'online',
      connectedAt: 1_000,
      hidden: false,
      ...over,
    });
    beforeEach(async () => {
      const harness = await create();
      registry = harness.registry;
      advance = (ms) => harness.advance(ms);
      await registry.renewLease('g1', ttlMs);
      await registry.renewLease('g2', ttlMs);
    });
    afterEach(() => registry[Symbol.asyncDispose]());

    it('knows the sessions of a user, oldest first', async () => {
      const [first, second] = [record(), record({ sessionId: 's2', deviceId: 'laptop', gatewayId: 'g2', connectedAt: 2_000 })];
      await registry.put(second);
      await registry.put(first);
      expect(await registry.sessionsOf('app', 'alice')).toEqual([first, second]);
      expect(await registry.sessionsOf('app', 'bob')).toEqual([]);
    });

    it('keeps equal user ids of two apps apart', async () => {
      await registry.put(record());
      expect(await registry.sessionsOf('other', 'alice')).toEqual([]);
      expect(await registry.presenceOf('other', ['alice'])).toEqual([{ userId: 'alice', status: 'offline' }]);
    });

    it('keeps the platform that a session names', async () => {
      await registry.put(record({ platform: 'ios' }));
      await registry.put(record({ sessionId: 's2', connectedAt: 2_000 }));
      expect(await registry.sessionsOf('app', 'alice')).toEqual([
        record({ platform: 'ios' }),
        record({ sessionId: 's2', connectedAt: 2_000 }),
      ]);
    });

    it('replaces a session that is put again', async () => {
      await registry.put(record());
      await registry.put(record({ status: 'away' }));
      expect(await registry.sessionsOf('app', 'alice')).toEqual([record({ status: 'away' })]);
    });

    it('answers presence in the order asked: online before away before offline', async () => {
      await registry.put(record({ status: 'away' }));
      expect(await registry.presenceOf('app', ['bob', 'alice'])).toEqual([
        { userId: 'bob', status: 'offline' },
        { userId: 'alice', status: 'away' },
      ]);
      await registry.put(record({ sessionId: 's2', gatewayId: 'g2' }));
      expect(await registry.presenceOf('app', ['alice'])).toEqual([{ userId: 'alice', status: 'online' }]);
      expect(await registry.presenceOf('app', [])).toEqual([]);
    });

    it('remembers when a user who left was last seen', async () => {
      await registry.put(record());
      const { lastSeenAt } = await registry.remove('app', 'alice', 's1');
      expect(await registry.sessionsOf('app', 'alice')).toEqual([]);
      expect(await registry.presenceOf('app', ['alice'])).toEqual([
        { userId: 'alice', status: 'offline', lastSeenAt: new Date(lastSeenAt).toISOString() },
      ]);
    });

    it('removes one session of several, and takes a second removal', async () => {
      await registry.put(record());
      await registry.put(record({ sessionId: 's2' }));
      await registry.remove('app', 'alice', 's1');
      await registry.remove('app', 'alice', 's1');
      expect((await registry.sessionsOf('app', 'alice')).map((session) => session.sessionId)).toEqual(['s2']);
    });

    it('does not count sessions of a gateway whose lease ran out', async () => {
      await registry.put(record());
      await registry.put(record({ sessionId: 's2', gatewayId: 'g2', status: 'away' }));
      await advance(ttlMs * 0.6);
      await registry.renewLease('g2', ttlMs);
      await advance(ttlMs * 0.6);
      expect((await registry.sessionsOf('app', 'alice')).map((session) => session.sessionId)).toEqual(['s2']);
      expect(await registry.presenceOf('app', ['alice'])).toEqual([{ userId: 'alice', status: 'away' }]);
    });

    it('does not count sessions of a gateway that never had a lease', async () => {
      await registry.put(record({ gatewayId: 'g3' }));
      expect(await registry.sessionsOf('app', 'alice')).toEqual([]);
    });

    it('drops the sessions of a gateway with its lease', async () => {
      await registry.put(record());
      await registry.put(record({ sessionId: 's2', gatewayId: 'g2' }));
      await registry.dropLease('g1');
      expect((await registry.sessionsOf('app', 'alice')).map((session) => session.sessionId)).toEqual(['s2']);
    });

    it('counts sessions that a gateway puts again after its lease lapsed', async () => {
      await registry.put(record());
      await advance(ttlMs * 2);
      await registry.renewLease('g1', ttlMs);
      await registry.put(record());
      expect(await registry.sessionsOf('app', 'alice')).toEqual([record()]);
    });

    it('tells a gateway whose lease had ended to put its sessions again', async () => {
      const lost: string[] = [];
      const stop = registry.onLost((gatewayId) => lost.push(gatewayId));
      await registry.put(record());
      await registry.renewLease('g1', ttlMs);
      await registry.renewLease('g3', ttlMs);
      expect(lost).toEqual([]);
      await advance(ttlMs * 2);
      await registry.renewLease('g1', ttlMs);
      expect(lost).toEqual(['g1']);
      expect(await registry.sessionsOf('app', 'alice')).toEqual([]);
      await registry.put(record());
      await registry.renewLease('g1', ttlMs);
      expect(await registry.sessionsOf('app', 'alice')).toEqual([record()]);
      stop();
      await advance(ttlMs * 2);
      await registry.renewLease('g1', ttlMs);
      expect(lost).toEqual(['g1']);
    });

    it('shows a hidden user to nobody but itself, on whatever gateway it hides', async () => {
      await registry.put(record({ status: 'away' }));
      await registry.put(record({ sessionId: 's2', gatewayId: 'g2', hidden: true }));
      expect(await registry.presenceOf('app', ['alice'])).toEqual([{ userId: 'alice', status: 'offline' }]);
      expect(await registry.presenceOf('app', ['alice'], 'bob')).toEqual([{ userId: 'alice', status: 'offline' }]);
      expect(await registry.presenceOf('app', ['alice'], 'alice')).toEqual([{ userId: 'alice', status: 'online' }]);
      expect(await registry.sessionsOf('app', 'alice')).toHaveLength(2);
      await registry.put(record({ sessionId: 's2', gatewayId: 'g2' }));
      expect(await registry.presenceOf('app', ['alice'])).toEqual([{ userId: 'alice', status: 'online' }]);
    });

    it('remembers nothing of when a hidden user was last seen, however its sessions end', async () => {
      const offline = [{ userId: 'alice', status: 'offline' }];
      await registry.put(record());
      await registry.remove('app', 'alice', 's1');
      await registry.put(record({ hidden: true }));
      await registry.remove('app', 'alice', 's1');
      await registry.remove('app', 'alice', 's1');
      expect(await registry.presenceOf('app', ['alice'])).toEqual(offline);
      await registry.put(record({ hidden: true }));
      await registry.dropLease('g1');
      expect(await registry.presenceOf('app', ['alice'])).toEqual(offline);
      await registry.put(record({ gatewayId: 'g2', hidden: true }));
      await advance(ttlMs * 2);
      expect(await registry.presenceOf('app', ['alice'])).toEqual(offline);
    });

    it('forgets when a user was last seen, if told so', async () => {
      await registry.put(record());
      await registry.remove('app', 'alice', 's1');
      await registry.forgetLastSeen('app', 'alice');
      expect(await registry.presenceOf('app', ['alice'])).toEqual([{ userId: 'alice', status: 'offline' }]);
    });
  });
}
