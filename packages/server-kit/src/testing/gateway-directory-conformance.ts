import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayDescription, GatewayDirectory } from '../ports/gateway-directory.ts';

/** A directory and a way to let its time pass. */
export interface GatewayDirectoryHarness {
  readonly directory: GatewayDirectory;
  advance(ms: number): void | Promise<void>;
}

/** Longer than a machine under load stands still. */
const ttlMs = 60_000;

/** What every gateway directory keeps. `create` opens a new, empty one. */
export function gatewayDirectoryConformance(create: () => GatewayDirectoryHarness | Promise<GatewayDirectoryHarness>): void {
  describe('gateway directory', () => {
    let directory: GatewayDirectory;
    let advance: GatewayDirectoryHarness['advance'];
    const gateway = (over: Partial<GatewayDescription> = {}): GatewayDescription => ({
      id: 'g1',
      url: 'http://g1.example:8080',
      zone: 'north',
      load: 0.25,
      sockets: 7,
      draining: false,
      ...over,
    });
    const ids = async () => (await directory.list()).map(({ id }) => id);
    beforeEach(async () => {
      const harness = await create();
      directory = harness.directory;
      advance = (ms) => harness.advance(ms);
    });
    afterEach(() => directory[Symbol.asyncDispose]());

    it('lists what was put, by id, with the time at which it ends', async () => {
      expect(await directory.list()).toEqual([]);
      await directory.put(gateway({ id: 'g2', url: 'http://g2.example', group: 'launcher' }), ttlMs * 2);
      await directory.put(gateway(), ttlMs);
      const [first, second] = await directory.list();
      expect(first).toEqual({ ...gateway(), expiresAt: first?.expiresAt });
      expect(second).toMatchObject({ id: 'g2', url: 'http://g2.example', group: 'launcher' });
      const apart = (second?.expiresAt ?? 0) - (first?.expiresAt ?? 0);
      expect(Math.abs(apart - ttlMs)).toBeLessThan(ttlMs / 2);
    });

    it('replaces what a gateway said before', async () => {
      await directory.put(gateway(), ttlMs);
      await directory.put(gateway({ load: 0.9, sockets: 8, draining: true }), ttlMs);
      expect(await directory.list()).toMatchObject([{ id: 'g1', load: 0.9, sockets: 8, draining: true }]);
      await directory.put(gateway({ unready: true }), ttlMs);
      expect(await directory.list()).toMatchObject([{ id: 'g1', unready: true }]);
      await directory.put(gateway(), ttlMs);
      expect((await directory.list())[0]).not.toHaveProperty('unready');
    });

    it('forgets a gateway that does not renew, and keeps one that does', async () => {
      await directory.put(gateway(), ttlMs);
      await directory.put(gateway({ id: 'g2' }), ttlMs);
      await advance(ttlMs * 0.6);
      await directory.put(gateway({ id: 'g2' }), ttlMs);
      expect(await ids()).toEqual(['g1', 'g2']);
      await advance(ttlMs * 0.6);
      expect(await ids()).toEqual(['g2']);
      await advance(ttlMs * 1.2);
      expect(await ids()).toEqual([]);
    });

    it('knows a gateway again that comes back after its time', async () => {
      await directory.put(gateway(), ttlMs);
      await advance(ttlMs * 1.5);
      expect(await ids()).toEqual([]);
      await directory.put(gateway(), ttlMs);
      expect(await ids()).toEqual(['g1']);
    });

    it('removes a gateway, and takes a second removal', async () => {
      await directory.put(gateway(), ttlMs);
      await directory.put(gateway({ id: 'g2' }), ttlMs);
      await directory.remove('g1');
      await directory.remove('g1');
      expect(await ids()).toEqual(['g2']);
    });
  });
}
