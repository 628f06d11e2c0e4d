import { type Bus, type BusMessage, MemoryBus, type Publication } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import type { LogName } from '@nudge/types';
import { describe, expect, it } from 'vitest';
import type { Coalescer } from './coalescer.ts';
import { Hub } from './hub.ts';
import { Session } from './session.ts';

/** A bus that can refuse, and that can take its time. */
class UnsteadyBus implements Bus {
  readonly inner = new MemoryBus();
  readonly asked: string[] = [];
  away = false;
  /** Settled by the test. */
  pause: PromiseWithResolvers<void> | undefined;

  publish(batch: readonly Publication[]): Promise<void> {
    return this.inner.publish(batch);
  }

  async subscribe(topic: string, listener: (message: BusMessage) => void): Promise<() => void> {
    this.asked.push(topic);
    await this.pause?.promise;
    if (this.away) throw new Error('away');
    return this.inner.subscribe(topic, listener);
  }

  onInterruption(listener: () => void): () => void {
    return this.inner.onInterruption(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.inner[Symbol.asyncDispose]();
  }
}

function setUp() {
  const bus = new UnsteadyBus();
  const clock = new ManualClock();
  const offered: string[] = [];
  const resynced: Session[] = [];
  const late: string[] = [];
  const offer = (session: Session, log: LogName) => offered.push(`${session.userId} ${log}`);
  const hub = new Hub({
    bus,
    clock,
    coalescer: { offer, resync: (session: Session) => resynced.push(session) } as unknown as Coalescer,
    resyncSpreadMs: 10,
    onLate: (topic) => late.push(topic),
    onConversationKey: () => true,
    onControl: () => undefined,
    onReceipt: () => undefined,
    onUser: () => undefined,
    onKick: () => undefined,
  });
  return { bus, clock, hub, offered, resynced, late };
}

const topic = (userId: string) => `app/u/${userId}`;

function sessionOf(userId: string): Session {
  const identity = { appId: 'app', userId, kid: 'k', issuedAt: 0, expiresAt: 0 };
  return new Session(crypto.randomUUID(), identity, { deviceId: 'd', platform: undefined }, topic(userId), 0);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const key = (userId: string): Publication => ({ topic: topic(userId), message: { kind: 'key', log: 'c/1', seq: 1 } });

describe('a bus that refuses', () => {
  it('keeps no session out, and each hears that keys may be missing once its topic is in force', async () => {
    const { bus, clock, hub, offered, resynced, late } = setUp();
    bus.away = true;
    const [ann, annToo, bob] = [sessionOf('ann'), sessionOf('ann'), sessionOf('bob')];
    await hub.join(ann.topic, ann);
    await hub.join(annToo.topic, annToo);
    await hub.join(bob.topic, bob);
    await hub.hold('app/c/1');
    expect(bus.asked, 'one attempt per topic').toEqual([topic('ann'), topic('bob'), 'app/c/1']);
    expect(hub.lateCount).toBe(3);
    expect(resynced).toEqual([]);
    bus.away = false;
    clock.advance(2_000);
    await turn();
    expect(hub.lateCount).toBe(0);
    expect(new Set(resynced)).toEqual(new Set([ann, annToo, bob]));
    expect(resynced).toHaveLength(3);
    expect(new Set(late)).toEqual(new Set([topic('ann'), topic('bob'), 'app/c/1']));
    await bus.publish([key('ann'), key('bob')]);
    expect(offered.sort()).toEqual(['ann c/1', 'ann c/1', 'bob c/1']);
    expect(clock.pending, 'nothing is tried any more').toBe(0);
  });

  it('is asked by one loop: once a round while it refuses, whatever the number of topics', async () => {
    const { bus, clock, hub } = setUp();
    bus.away = true;
    for (let n = 0; n < 1_200; n++) await hub.join(topic(`u${n}`), sessionOf(`u${n}`));
    expect(bus.asked).toHaveLength(1_200);
    const rounds = new Set<string>();
    for (let round = 1; round <= 5; round++) {
      clock.advance(2_000);
      await turn();
      expect(bus.asked).toHaveLength(1_200 + round);
      rounds.add(bus.asked.at(-1) ?? '');
    }
    expect(rounds.size, 'another topic each time: one node of several may be away').toBe(5);
    expect(clock.pending).toBe(1);
    bus.away = false;
    clock.advance(2_000);
    await turn();
    expect([hub.lateCount, bus.inner.topicCount]).toEqual([0, 1_200]);
  });

  it('is not asked for what nobody wants any more, nor after the end', async () => {
    const { bus, clock, hub, resynced } = setUp();
    bus.away = true;
    const [ann, bob] = [sessionOf('ann'), sessionOf('bob')];
    await hub.join(ann.topic, ann);
    await hub.join(bob.topic, bob);
    hub.leave(ann.topic, ann);
    expect(hub.lateCount).toBe(1);
    bus.away = false;
    clock.advance(2_000);
    await turn();
    expect([resynced, bus.inner.topicCount]).toEqual([[bob], 1]);
    bus.away = true;
    await hub.join(ann.topic, ann);
    hub.stop();
    expect(clock.pending).toBe(0);
  });

  it('leaves no subscription behind when its topic is given up while it is tried again', async () => {
    const { bus, clock, hub, resynced } = setUp();
    bus.away = true;
    const ann = sessionOf('ann');
    await hub.join(ann.topic, ann);
    bus.away = false;
    bus.pause = Promise.withResolvers();
    clock.advance(2_000);
    hub.leave(ann.topic, ann);
    bus.pause.resolve();
    await turn();
    expect([bus.inner.topicCount, resynced, clock.pending, hub.size]).toEqual([0, [], 0, 0]);
  });
});

describe('a bus that takes its time', () => {
  it('is waited for as long as a handshake may be', async () => {
    const { bus, clock, hub, resynced } = setUp();
    bus.pause = Promise.withResolvers();
    const [ann, annToo] = [sessionOf('ann'), sessionOf('ann')];
    const joined = Promise.all([hub.join(ann.topic, ann), hub.join(annToo.topic, annToo)]);
    await turn();
    clock.advance(1_000);
    await joined;
    expect(hub.lateCount).toBe(1);
    bus.pause.resolve();
    await turn();
    expect(new Set(resynced)).toEqual(new Set([ann, annToo]));
    expect([hub.lateCount, clock.pending, bus.asked.length]).toEqual([0, 0, 1]);
  });

  it('in time owes nobody a resync', async () => {
    const { bus, clock, hub, resynced, late } = setUp();
    bus.pause = Promise.withResolvers();
    const ann = sessionOf('ann');
    const joined = hub.join(ann.topic, ann);
    clock.advance(900);
    bus.pause.resolve();
    await joined;
    expect([resynced, late, clock.pending, hub.lateCount]).toEqual([[], [], 0, 0]);
  });
});
