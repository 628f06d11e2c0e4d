import type { BusMessage, Publication } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { describe, expect, it } from 'vitest';
import { MemberCache, type MemberList } from './member-cache.ts';
import { defaultPace, paceOf } from './pace.ts';
import { type HeadChange, Publisher } from './publisher.ts';
import { TopicList } from './topic-list.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A bus that answers when told to, or at once. */
class SlowBus {
  readonly published: Publication[] = [];
  readonly waiting: PromiseWithResolvers<void>[] = [];
  held = false;
  failing = false;

  publish(batch: readonly Publication[]): Promise<void> {
    if (this.failing) return Promise.reject(new Error('the bus is down'));
    this.published.push(...batch);
    if (!this.held) return Promise.resolve();
    const answer = Promise.withResolvers<void>();
    this.waiting.push(answer);
    return answer.promise;
  }

  seqsOf(topic: string): number[] {
    return this.published.flatMap(({ topic: at, message }) => (at === topic && message.kind === 'key' ? [message.seq] : []));
  }
}

function setUp(members: number): {
  bus: SlowBus;
  clock: ManualClock;
  publisher: Publisher;
  loads: () => number;
  list: { current: MemberList };
} {
  const bus = new SlowBus();
  const clock = new ManualClock();
  const list = {
    current: { appId: 'app', memberVersion: 1, users: Array.from({ length: members }, (_, n) => `u${n}`) },
  };
  let loads = 0;
  const cache = new MemberCache({
    load: async () => {
      loads += 1;
      return list.current;
    },
    capacity: 100_000,
  });
  return {
    bus,
    clock,
    list,
    loads: () => loads,
    publisher: new Publisher({ bus, members: cache, pace: defaultPace, clock }),
  };
}

const head = (seq: number, extra: Partial<HeadChange> = {}): HeadChange => ({
  appId: 'app',
  conversationId: 'conv',
  seq,
  memberVersion: 1,
  copiesStale: false,
  ...extra,
});

describe('the pace of fan-outs', () => {
  it('is free for small conversations, grows with the members and has a cap', () => {
    expect([0, 2, 100, 101, 1_000, 10_000].map((members) => paceOf(members, defaultPace))).toEqual([0, 0, 0, 1, 880, 880]);
  });
});

describe('the publisher', () => {
  it('tells whom an entry mentions at once, whatever the pace', async () => {
    const { bus, clock, publisher } = setUp(1_000);
    await publisher.announce([head(1)]);
    const announced = publisher.announce([head(2, { mentioned: ['u7'] })]);
    await settle();
    expect(bus.published).toContainEqual({ topic: 'app/u/u7', message: { kind: 'key', log: 'c/conv', seq: 2, direct: true } });
    expect(bus.seqsOf('app/u/u8')).toEqual([1]);
    for (let turns = 0; turns < 20; turns += 1) {
      clock.advance(60);
      await settle();
    }
    await announced;
    expect(bus.seqsOf('app/u/u8')).toEqual([1, 2]);
  });

  it('tells nobody who has left, though an operation goes on naming them', async () => {
    for (const known of [true, false]) {
      const { bus, publisher } = setUp(3);
      if (known) await publisher.announce([head(1)]);
      await publisher.announce([head(2, { mentioned: ['u1', 'gone'], delta: {} })]);
      expect(bus.published).toContainEqual({ topic: 'app/u/u1', message: { kind: 'key', log: 'c/conv', seq: 2, direct: true } });
      expect(bus.seqsOf('app/u/gone')).toEqual([]);
    }
  });

  it('gives each member and the watchers one key, and reads the members once', async () => {
    const { bus, publisher, loads } = setUp(3);
    await publisher.announce([head(1)]);
    await publisher.announce([head(2)]);
    expect(loads()).toBe(1);
    for (const topic of ['app/u/u0', 'app/u/u1', 'app/u/u2', 'app/c/conv']) expect(bus.seqsOf(topic)).toEqual([1, 2]);
  });

  it('keeps one fan-out in flight: what comes meanwhile is one fan-out of the newest seq', async () => {
    const { bus, publisher } = setUp(2);
    bus.held = true;
    const first = publisher.announce([head(1)]);
    await settle();
    const rest = [publisher.announce([head(2)]), publisher.announce([head(3)]), publisher.announce([head(4)])];
    await settle();
    expect(bus.seqsOf('app/u/u0')).toEqual([1]);
    bus.held = false;
    for (const answer of bus.waiting) answer.resolve();
    await Promise.all([first, ...rest]);
    expect(bus.seqsOf('app/u/u0')).toEqual([1, 4]);
  });

  it('paces a large conversation: everybody once in a round, not all at the same time; watchers hear everything at once', async () => {
    const { bus, clock, publisher } = setUp(1_000);
    const told = (seq: number): number =>
      bus.published.filter(({ topic, message }) => topic.includes('/u/') && message.kind === 'key' && message.seq === seq).length;
    await publisher.announce([head(1)]);
    expect(told(1)).toBe(1_000);
    let done = false;
    const rest = Promise.all([2, 3, 4].map((seq) => publisher.announce([head(seq)]))).then(() => {
      done = true;
    });
    await settle();
    expect([told(2), told(3), told(4)]).toEqual([0, 0, 0]);
    expect(bus.seqsOf('app/c/conv')).toEqual([1, 2, 3, 4]);
    for (let ms = 0; ms < 455; ms += 5) {
      clock.advance(5);
      await settle();
    }
    expect({ done, half: Math.round(told(4) / 100) }).toEqual({ done: false, half: 5 });
    for (let ms = 0; ms < 500; ms += 5) {
      clock.advance(5);
      await settle();
    }
    await rest;
    expect([told(2), told(3), told(4)]).toEqual([0, 0, 1_000]);
  });

  it('drains: what is held back is sent at once', async () => {
    const { bus, publisher } = setUp(1_000);
    await publisher.announce([head(1)]);
    const late = publisher.announce([head(2)]);
    await publisher.drain();
    await late;
    expect(bus.seqsOf('app/u/u7')).toEqual([1, 2]);
  });

  it('reads the members again when the append saw a newer version: who left hears nothing of that seq', async () => {
    const { bus, list, publisher, loads } = setUp(2);
    await publisher.announce([head(1)]);
    list.current = { appId: 'app', memberVersion: 2, users: ['u1'] };
    await publisher.announce([head(2, { memberVersion: 2, copiesStale: true })]);
    expect(loads()).toBe(2);
    expect(bus.seqsOf('app/u/u0')).toEqual([1]);
    expect(bus.seqsOf('app/u/u1')).toEqual([1, 2]);
    const told: BusMessage[] = bus.published.filter(({ topic }) => topic === 'app/c/conv').map(({ message }) => message);
    expect(told.slice(1)).toEqual([
      { kind: 'control', conversationId: 'conv', memberVersion: 2, head: 2 },
      { kind: 'key', log: 'c/conv', seq: 2 },
    ]);
  });

  it('rejects when the bus refuses, and works again when it does not', async () => {
    const { bus, publisher } = setUp(2);
    bus.failing = true;
    await expect(publisher.announce([head(1)])).rejects.toThrow('down');
    await expect(publisher.announceFeeds([{ appId: 'app', userId: 'u0', version: 3 }])).rejects.toThrow('down');
    bus.failing = false;
    await publisher.announce([head(2)]);
    await publisher.announceFeeds([{ appId: 'app', userId: 'u0', version: 4 }]);
    expect(bus.published.filter(({ topic }) => topic === 'app/u/u0').map(({ message }) => message)).toEqual([
      { kind: 'key', log: 'c/conv', seq: 2 },
      { kind: 'key', log: 'u/u0', seq: 4 },
    ]);
  });
});

describe('the member cache', () => {
  it('shares one read among those it can serve, and reads again for whom it began too early', async () => {
    const answers: PromiseWithResolvers<MemberList>[] = [];
    const cache = new MemberCache({
      load: () => {
        const answer = Promise.withResolvers<MemberList>();
        answers.push(answer);
        return answer.promise;
      },
      capacity: 100,
    });
    const early = [cache.get('conv', 1), cache.get('conv', 1)];
    const late = cache.get('conv', 2);
    expect(answers).toHaveLength(1);
    answers[0]?.resolve({ appId: 'app', memberVersion: 1, users: ['a'] });
    expect((await Promise.all(early)).map((list) => list.memberVersion)).toEqual([1, 1]);
    await settle();
    expect(answers).toHaveLength(2);
    answers[1]?.resolve({ appId: 'app', memberVersion: 2, users: ['a', 'b'] });
    expect((await late).topics).toEqual(new TopicList(['app/u/a', 'app/u/b']));
    expect(cache.peek('conv', 2)).toBeDefined();
    expect(cache.peek('conv', 3)).toBeUndefined();
  });

  it('moves on with a change to the next version, and reads again for any other', async () => {
    let version = 1;
    let loads = 0;
    const cache = new MemberCache({
      load: async () => {
        loads += 1;
        return { appId: 'app', memberVersion: version, users: ['a', 'b'] };
      },
      capacity: 100,
    });
    const change = (memberVersion: number) => ({ appId: 'app', conversationId: 'conv', memberVersion });
    cache.apply(change(1), { joined: 'z' });
    expect(cache.peek('conv', 0)).toBeUndefined();
    await cache.get('conv', 1);
    cache.apply(change(2), { joined: 'c' });
    cache.apply(change(2), { joined: 'x' });
    cache.apply(change(3), { left: 'a' });
    cache.apply(change(4), {});
    expect(await cache.get('conv', 4)).toEqual({ memberVersion: 4, topics: new TopicList(['app/u/b', 'app/u/c']) });
    expect(loads).toBe(1);
    cache.apply(change(6), { joined: 'd' });
    version = 6;
    expect(await cache.get('conv', 6)).toEqual({ memberVersion: 6, topics: new TopicList(['app/u/a', 'app/u/b']) });
    expect(loads).toBe(2);
  });
});
