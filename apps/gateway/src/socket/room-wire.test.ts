import { type Bus, type BusMessage, createLogger, MemoryBus, type Publication } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { describe, expect, it } from 'vitest';
import { GatewayCounts } from '../services/counts.ts';
import { isRelayedRoom } from '../services/rooms.ts';
import { RoomWire } from './room-wire.ts';

/** A bus that is away at times, and answers publishes when it is told to. */
class FlakyBus implements Bus {
  readonly inner = new MemoryBus();
  away = false;
  holds = false;
  subscribes = 0;
  readonly held: PromiseWithResolvers<void>[] = [];

  async publish(batch: readonly Publication[]): Promise<void> {
    if (this.away) throw new Error('away');
    if (this.holds) {
      const answer = Promise.withResolvers<void>();
      this.held.push(answer);
      return answer.promise;
    }
    return this.inner.publish(batch);
  }

  async subscribe(topic: string, listener: (message: BusMessage) => void): Promise<() => void> {
    this.subscribes++;
    if (this.away) throw new Error('away');
    return this.inner.subscribe(topic, listener);
  }

  onInterruption(): () => void {
    return () => undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.inner[Symbol.asyncDispose]();
  }
}

function setUp(options: { accepts?: (room: string) => boolean; maxInFlight?: number } = {}) {
  const bus = new FlakyBus();
  const clock = new ManualClock();
  const counts = new GatewayCounts();
  const log = createLogger({ name: 'test', level: 'silent' });
  const wire = new RoomWire({ bus, clock, log, counts, isRelayed: isRelayedRoom, accepts: () => true, ...options });
  return { bus, clock, counts, wire };
}

const channel = (room: string) => `rooms#/#${room}#`;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const conversation = (n: number) => `demo/c/${n}`;

describe('the wire of the rooms', () => {
  it('carries packets to those who hear the room, as the adapter wants them', async () => {
    const { wire, counts } = setUp();
    const heard: [string, string][] = [];
    await wire.sSubscribe(channel(conversation(1)), (message, on) => heard.push([message.toString(), on]));
    await turn();
    await wire.sPublish(channel(conversation(1)), '{"a":1}');
    await wire.sPublish(channel(conversation(2)), '{"a":2}');
    await turn();
    expect(heard).toEqual([['{"a":1}', channel(conversation(1))]]);
    expect([counts.packetsSent, counts.packetsHeard, counts.packetsDropped]).toEqual([2, 1, 0]);
    await wire.sUnsubscribe(channel(conversation(1)));
    await wire.sPublish(channel(conversation(1)), '{"a":3}');
    await turn();
    expect(heard).toHaveLength(1);
  });

  it('subscribes no room that only names whom to leave out', async () => {
    const { wire, bus } = setUp();
    for (const room of ['demo/u/ann', crypto.randomUUID()]) await wire.sSubscribe(channel(room), () => undefined);
    await wire.sSubscribe('rooms#/#0123456789abcdef#', () => undefined);
    expect(bus.subscribes).toBe(0);
    for (const room of ['demo/p/ann', 'demo/p/ann/own', conversation(1)]) await wire.sSubscribe(channel(room), () => undefined);
    expect(bus.subscribes).toBe(3);
  });

  it('passes nothing on that is not accepted, and survives a reader that fails', async () => {
    let accepted = false;
    const { wire, counts } = setUp({ accepts: () => accepted });
    let calls = 0;
    await wire.sSubscribe(channel(conversation(1)), () => {
      calls++;
      throw new Error('no packet');
    });
    await turn();
    await wire.sPublish(channel(conversation(1)), '{}');
    expect(calls).toBe(0);
    accepted = true;
    await wire.sPublish(channel(conversation(1)), '{}');
    await wire.sPublish(channel(conversation(1)), '{}');
    await turn();
    expect([calls, counts.packetsHeard]).toEqual([2, 2]);
  });

  it('waits for no publish, rejects none, and drops what is more than may be on its way', async () => {
    const { wire, bus, counts } = setUp({ maxInFlight: 3 });
    bus.holds = true;
    for (let i = 0; i < 10; i++) await wire.sPublish(channel(conversation(1)), '{}');
    expect([bus.held.length, counts.packetsDropped]).toEqual([3, 7]);
    for (const answer of bus.held) answer.reject(new Error('too late'));
    await turn();
    expect(counts.packetsDropped).toBe(10);
    bus.holds = false;
    bus.away = true;
    await wire.sPublish(channel(conversation(1)), '{}');
    await wire.sPublish(channel(conversation(1)), Buffer.from([1]));
    await turn();
    expect(counts.packetsDropped).toBe(12);
    bus.away = false;
    await wire.sPublish(channel(conversation(1)), '{}');
    await turn();
    expect(counts.packetsSent).toBe(1);
  });

  it('tries failed subscriptions again, one as long as that fails, then all that are still wanted', async () => {
    const { wire, bus, clock } = setUp();
    bus.away = true;
    const heard: number[] = [];
    for (let n = 0; n < 1_200; n++) await wire.sSubscribe(channel(conversation(n)), () => heard.push(n));
    await turn();
    expect(bus.subscribes).toBe(1_200);
    for (let round = 1; round <= 3; round++) {
      clock.advance(2_000);
      await turn();
      expect(bus.subscribes).toBe(1_200 + round);
    }
    await wire.sUnsubscribe([channel(conversation(7)), channel(conversation(8))]);
    bus.away = false;
    clock.advance(2_000);
    await turn();
    expect(bus.inner.topicCount).toBe(1_198);
    expect(clock.pending).toBe(0);
    for (const n of [7, 9, 1_199]) await wire.sPublish(channel(conversation(n)), '{}');
    expect(heard).toEqual([9, 1_199]);
  });

  it('holds no subscription that was given up while it was made, nor any after its end', async () => {
    const { wire, bus, clock } = setUp();
    void wire.sSubscribe(channel(conversation(1)), () => undefined);
    void wire.sUnsubscribe(channel(conversation(1)));
    await turn();
    expect(bus.inner.topicCount).toBe(0);
    bus.away = true;
    await wire.sSubscribe(channel(conversation(2)), () => undefined);
    bus.away = false;
    await wire.sSubscribe(channel(conversation(3)), () => undefined);
    await turn();
    wire[Symbol.dispose]();
    await wire.sSubscribe(channel(conversation(4)), () => undefined);
    await turn();
    expect([bus.inner.topicCount, clock.pending]).toEqual([0, 0]);
  });
});
