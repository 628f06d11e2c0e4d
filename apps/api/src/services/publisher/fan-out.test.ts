import { type Publication, userTopic } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FanOut } from './fan-out.ts';
import { MemberCache } from './member-cache.ts';
import type { Settle } from './outgoing.ts';

const ROUND_MS = 800;
const TURN_MS = ROUND_MS / 4;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const topicOf = (name: number): string => userTopic('app', `u${String(name).padStart(3, '0')}`);

/** What was told to whom, and when. */
interface Told {
  readonly topic: string;
  readonly seq: number;
  readonly at: number;
}

/** A fan-out over a list of members that changes, read by a real cache; the bus answers at the next turn of the event loop. */
class World {
  readonly clock = new ManualClock();
  readonly started = this.clock.now();
  readonly told: Told[] = [];
  readonly members = new Set<number>();
  version = 1;
  loads = 0;
  isRefusing = false;
  isResting = false;
  readonly cache = new MemberCache({
    load: async () => {
      this.loads += 1;
      return { appId: 'app', memberVersion: this.version, users: [...this.members].map((name) => `u${String(name).padStart(3, '0')}`) };
    },
    capacity: 10_000,
  });
  readonly fanOut: FanOut;

  constructor(size: number, roundOf = () => ROUND_MS) {
    for (let name = 0; name < size; name += 1) this.members.add(name * 2);
    this.fanOut = new FanOut(
      {
        clock: this.clock,
        members: this.cache,
        outgoing: { open: (settle) => this.#open(settle) },
        roundOf,
        onRest: () => {
          this.isResting = true;
        },
      },
      'conv',
    );
  }

  #open(settle: Settle): Publication[] {
    const publications: Publication[] = [];
    setImmediate(() => {
      if (this.isRefusing) {
        settle(new Error('the bus refused'));
        return;
      }
      for (const { topic, message } of publications)
        if (message.kind === 'key') this.told.push({ topic, seq: message.seq, at: this.clock.now() - this.started });
      settle();
    });
    return publications;
  }

  /** How a head ended: when, and whether well. */
  tell(seq: number): { settled: { at: number; error: unknown } | undefined } {
    const result: { settled: { at: number; error: unknown } | undefined } = { settled: undefined };
    this.isResting = false;
    this.fanOut.tell(seq, this.version, (error) => {
      expect(result.settled).toBeUndefined();
      result.settled = { at: this.clock.now() - this.started, error };
    });
    return result;
  }

  async pass(ms: number): Promise<void> {
    await turn();
    await turn();
    for (let left = ms; left > 0; left -= 5) {
      this.clock.advance(Math.min(5, left));
      await turn();
      await turn();
    }
  }

  seqsOf(topic: string): number[] {
    return this.told.filter((each) => each.topic === topic).map(({ seq }) => seq);
  }
}

describe('a fan-out', () => {
  it('tells all in one go after a silence, and walks once round while the conversation goes on', async () => {
    const world = new World(320);
    const first = world.tell(1);
    await world.pass(0);
    expect([first.settled?.at, world.told.length]).toEqual([0, 320]);
    const heads: ReturnType<World['tell']>[] = [];
    for (let seq = 2; seq <= 41; seq += 1) {
      heads.push(world.tell(seq));
      await world.pass(100);
    }
    await world.pass(ROUND_MS + TURN_MS);
    for (const topic of [0, 318, 638].map(topicOf)) {
      const times = world.told.filter((each) => each.topic === topic).map(({ at }) => at);
      const gaps = times.slice(2).map((at, index) => at - (times[index + 1] ?? 0));
      expect(Math.max(...gaps), 'nobody waits for longer than a round and a turn').toBeLessThanOrEqual(ROUND_MS + 2 * TURN_MS);
      expect(Math.min(...gaps), 'nobody hears more often').toBeGreaterThanOrEqual(ROUND_MS - 2 * TURN_MS);
    }
    const perTurn = Map.groupBy(world.told.slice(320), ({ at }) => at);
    expect(Math.max(...[...perTurn.values()].map(({ length }) => length)), 'no bursts').toBeLessThanOrEqual(Math.ceil(320 / 4) + 2);
    expect(heads.every(({ settled }) => settled !== undefined && settled.error === undefined)).toBe(true);
    await world.pass(ROUND_MS);
    expect([world.isResting, world.clock.pending]).toEqual([true, 0]);
  });

  it('hurries: what is left of the round is walked at once', async () => {
    let round = ROUND_MS;
    const world = new World(320, () => round);
    world.tell(1);
    await world.pass(0);
    const head = world.tell(2);
    await world.pass(100);
    expect(head.settled).toBeUndefined();
    expect(world.seqsOf(topicOf(638))).toEqual([1]);
    round = 0;
    world.fanOut.hurry();
    await world.pass(0);
    expect([world.seqsOf(topicOf(638)), head.settled?.at]).toEqual([[1, 2], 100]);
  });

  it('fails only what was waiting when the bus was asked: what came up meanwhile is told', async () => {
    const world = new World(10, () => 0);
    world.tell(1);
    await world.pass(0);
    world.isRefusing = true;
    const refused = world.tell(2);
    const meanwhile = world.tell(3);
    await turn();
    world.isRefusing = false;
    await world.pass(0);
    expect(refused.settled?.error).toBeInstanceOf(Error);
    expect(meanwhile.settled).toEqual({ at: 0, error: undefined });
    expect(world.seqsOf(topicOf(0))).toEqual([1, 3]);
  });

  it('works for a conversation without anybody in it', async () => {
    const world = new World(0);
    const head = world.tell(1);
    await world.pass(0);
    expect([head.settled, world.told]).toEqual([{ at: 0, error: undefined }, []]);
  });

  /**
   * Whatever happens meanwhile: everyone who stays hears a head or a newer one within a round of its coming up, nobody hears an older seq after a newer
   * one, nobody who was gone when a head came up hears of it, and a head is done when, and only when, that holds.
   */
  it('keeps its promises whoever comes and goes, however the member list is learnt', async () => {
    const action = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('tell' as const) }) },
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 300 }) }) },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constantFrom('join' as const, 'leave' as const),
          name: fc.integer({ min: 0, max: 240 }),
          isKnown: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), ms: fc.integer({ min: 1, max: 100 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 30 }), async (actions) => {
        const world = new World(120);
        const heads: { seq: number; at: number; members: Set<number>; result: ReturnType<World['tell']> }[] = [];
        const since = new Map([...world.members].map((name) => [name, 0]));
        let seq = 0;
        const tell = (): void => {
          seq += 1;
          heads.push({ seq, at: world.clock.now() - world.started, members: new Set(world.members), result: world.tell(seq) });
        };
        for (const act of actions) {
          if (act.kind === 'tell') tell();
          else if (act.kind === 'pass') await world.pass(act.ms);
          else if (act.kind === 'forget') world.cache.clear();
          else if (act.kind === 'refuse') {
            world.isRefusing = true;
            await world.pass(act.ms);
            world.isRefusing = false;
          } else {
            const user = `u${String(act.name).padStart(3, '0')}`;
            if (world.members.has(act.name) === (act.kind === 'join')) continue;
            world.version += 1;
            if (act.kind === 'join') {
              world.members.add(act.name);
              since.set(act.name, seq + 1);
            } else world.members.delete(act.name);
            const change = { appId: 'app', conversationId: 'conv', memberVersion: world.version };
            if (act.isKnown) world.cache.apply(change, act.kind === 'join' ? { joined: user } : { left: user });
            tell();
          }
        }
        await world.pass(2 * ROUND_MS);

        const stayed = (name: number, from: number): boolean => heads.slice(from).every(({ members }) => members.has(name));
        for (const [index, { seq: head, at, members, result }] of heads.entries()) {
          const { settled } = result;
          if (settled === undefined) throw new Error(`head ${head} never ended`);
          if (settled.error !== undefined) continue;
          expect(settled.at - at, `head ${head} took`).toBeLessThanOrEqual(ROUND_MS + 2 * TURN_MS);
          for (const name of members) {
            if (!stayed(name, index)) continue;
            const heard = world.told.some((each) => each.topic === topicOf(name) && each.seq >= head && each.at <= settled.at);
            if (!heard) throw new Error(`${name} never heard of ${head}`);
          }
        }
        for (const topic of new Set(world.told.map((each) => each.topic))) {
          const seqs = world.seqsOf(topic);
          expect(seqs, 'newest last').toEqual(seqs.toSorted((a, b) => a - b));
        }
        for (const { topic, seq: head } of world.told) {
          const name = Number(topic.slice('app/u/u'.length));
          // A list newer than the head may be used: who joined meanwhile may hear of it.
          const isEntitled = heads.some(({ seq: at, members }) => at >= head && members.has(name));
          if (!isEntitled) throw new Error(`${name} was gone and heard of ${head}`);
        }
      }),
      { numRuns: 60 },
    );
  });
});
