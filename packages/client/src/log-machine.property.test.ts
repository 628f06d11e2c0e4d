import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stepLog } from './log-machine.ts';
import { initialLog, type LogEffect, type LogEvent, type LogState, type Positioned } from './log-state.ts';

/**
 * A device against a model of the server: the log grows, keys are dropped, doubled and reordered, pages are cut anywhere, answers come
 * late and out of order, requests fail, the device falls so far behind that it starts anew. Whatever happens, what the device holds
 * is the log without a hole, a repetition or another order, and once the faults end it holds all of it.
 */

interface Item extends Positioned {
  readonly body: string;
}

/** The truth. An epoch or a membership of its own makes its bodies differ, so a mixed-up entry is seen. */
class Server {
  head = 0;
  era = 0;
  member = true;
  visibleFrom = 1;
  readonly tooLongAfter: number;

  constructor(tooLongAfter: number) {
    this.tooLongAfter = tooLongAfter;
  }

  item(seq: number): Item {
    return { seq, body: `era ${this.era} entry ${seq}` };
  }

  items(after: number, limit: number): Item[] {
    const list: Item[] = [];
    for (let seq = Math.max(after + 1, this.visibleFrom); seq <= this.head && list.length < limit; seq++) list.push(this.item(seq));
    return list;
  }

  answer({ ticket, after, min }: Extract<LogEffect, { type: 'pull' }>, cut: number, viaSync: boolean): LogEvent<Item> {
    if (!this.member) return { type: 'notFound', ticket };
    if (min > this.head || (after ?? 0) > this.head) return { type: 'seqAhead', ticket };
    const { head, visibleFrom: oldestSeq } = this;
    if (after === null) {
      return { type: 'page', ticket, items: this.items(Math.max(0, head - cut), cut), head, oldestSeq, more: head > cut, crowded: false };
    }
    const room = cut % 2 === 0 ? cut : 0;
    const behind = head - after > this.tooLongAfter || after + 1 < oldestSeq;
    if (viaSync && behind) return { type: 'tooLong', ticket, snapshotSeq: head, items: this.items(Math.max(0, head - room), room) };
    const items = this.items(after, cut);
    return {
      type: 'page',
      ticket,
      items,
      head,
      oldestSeq,
      more: items.length === cut && (items.at(-1)?.seq ?? head) < head,
      crowded: false,
    };
  }
}

/** The device's side of the effects: what is applied, what is asked for, what is waited for. */
class Device {
  state: LogState = initialLog('entries');
  /** Ranges without a hole, as a storage keeps them. */
  ranges: Item[][] = [];
  pulls: Extract<LogEffect, { type: 'pull' }>[] = [];
  /** Answers that left the server and are still on their way. */
  mail: LogEvent<Item>[] = [];
  waits: number[] = [];
  violations = 0;

  put(event: LogEvent<Item>): void {
    const { state, effects } = stepLog(this.state, event);
    this.state = state;
    for (const effect of effects) this.perform(effect);
  }

  perform(effect: LogEffect<Item>): void {
    switch (effect.type) {
      case 'pull':
        this.pulls.push(effect);
        return;
      case 'wait':
        this.waits.push(effect.ticket);
        return;
      case 'drop':
        this.ranges = [];
        return;
      case 'violation':
        this.violations++;
        return;
      case 'apply':
        this.apply(effect);
    }
  }

  apply({ items, cursor, newRange }: Extract<LogEffect<Item>, { type: 'apply' }>): void {
    const last = this.ranges.at(-1)?.at(-1)?.seq;
    const [first] = items;
    if (newRange) this.ranges.push([]);
    const range = this.ranges.at(-1);
    if (first !== undefined && last !== undefined) {
      if (newRange) expect(first.seq).toBeGreaterThan(last + 1);
      else if (range?.length !== 0) expect(first.seq).toBe(last + 1);
    }
    for (const [index, item] of items.entries()) expect(item.seq).toBe((first?.seq ?? 0) + index);
    expect(cursor).toBeGreaterThanOrEqual(items.at(-1)?.seq ?? 0);
    range?.push(...items);
  }
}

type Action =
  | { do: 'append'; count: number }
  | { do: 'key'; behind: number; times: number }
  | { do: 'send'; asSent: boolean; after: number }
  | { do: 'answer'; which: number; cut: number; viaSync: boolean; at: 'once' | 'later' }
  | { do: 'deliver'; which: number; twice: boolean }
  | { do: 'fail'; which: number; retryable: boolean }
  | { do: 'garble'; which: number; drop: number }
  | { do: 'retry' }
  | { do: 'sync' }
  | { do: 'leave' | 'rejoin' | 'restore' }
  | { do: 'phantom'; ahead: number };

const small = fc.integer({ min: 0, max: 5 });
const usual: fc.Arbitrary<Action>[] = [
  fc.record({ do: fc.constant('append'), count: fc.integer({ min: 1, max: 8 }) }),
  fc.record({ do: fc.constant('key'), behind: small, times: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ do: fc.constant('send'), asSent: fc.boolean(), after: fc.integer({ min: 0, max: 1 }) }),
  fc.record({
    do: fc.constant('answer'),
    which: small,
    cut: fc.integer({ min: 1, max: 6 }),
    viaSync: fc.boolean(),
    at: fc.constantFrom('once', 'later'),
  }),
  fc.record({ do: fc.constant('deliver'), which: small, twice: fc.boolean() }),
  fc.record({ do: fc.constant('fail'), which: small, retryable: fc.boolean() }),
  fc.record({ do: fc.constant('garble'), which: small, drop: small }),
  fc.constant({ do: 'retry' }),
  fc.constant({ do: 'sync' }),
];
const rare: fc.Arbitrary<Action>[] = [
  fc.record({ do: fc.constantFrom('leave', 'rejoin', 'restore') }),
  fc.record({ do: fc.constant('phantom'), ahead: fc.integer({ min: 1, max: 50 }) }),
];

function act(server: Server, device: Device, action: Action): void {
  switch (action.do) {
    case 'append':
      server.head += action.count;
      return;
    case 'key':
      if (!server.member) return;
      for (let i = 0; i < action.times; i++) device.put({ type: 'key', seq: Math.max(0, server.head - action.behind) });
      return;
    case 'send': {
      if (!server.member) return;
      const { life } = device.state;
      server.head++;
      const stored = server.item(server.head);
      const item = action.asSent ? stored : { ...stored, body: 'before it was masked' };
      server.head += action.after;
      device.mail.push({ type: 'sent', seq: item.seq, asSent: action.asSent, item, life });
      return;
    }
    case 'answer': {
      const pull = take(device.pulls, action.which);
      if (pull === undefined) return;
      const answer = server.answer(pull, action.cut, action.viaSync);
      if (action.at === 'once') device.put(answer);
      else device.mail.push(answer);
      return;
    }
    case 'deliver': {
      const event = take(device.mail, action.which);
      if (event === undefined) return;
      device.put(event);
      if (action.twice) device.put(event);
      return;
    }
    case 'fail': {
      const pull = take(device.pulls, action.which);
      if (pull !== undefined) device.put({ type: 'failed', ticket: pull.ticket, retryable: action.retryable });
      return;
    }
    case 'garble': {
      const pull = take(device.pulls, action.which);
      if (pull === undefined) return;
      const event = server.answer(pull, 6, false);
      // An entry goes missing at the beginning or in the middle; at the end that would be a shorter page.
      const missing = event.type === 'page' && pull.after !== null && action.drop < event.items.length - 1;
      device.put(missing ? { ...event, items: event.items.filter((_, index) => index !== action.drop) } : event);
      return;
    }
    case 'retry': {
      const ticket = device.waits.shift();
      if (ticket !== undefined) device.put({ type: 'retry', ticket });
      return;
    }
    case 'sync':
      device.put({ type: 'sync' });
      return;
    case 'leave':
      if (server.member) server.head++;
      server.member = false;
      return;
    case 'rejoin':
      if (server.member) return;
      server.member = true;
      server.head++;
      server.visibleFrom = server.head;
      return;
    case 'restore':
      server.era++;
      server.head = Math.floor(server.head / 2);
      server.visibleFrom = Math.min(server.visibleFrom, server.head + 1);
      device.put({ type: 'epochChanged' });
      return;
    case 'phantom':
      device.put({ type: 'key', seq: server.head + action.ahead });
      return;
  }
}

/** One of a list, taken out of it. */
function take<T>(list: T[], which: number): T | undefined {
  return list.length === 0 ? undefined : list.splice(which % list.length, 1)[0];
}

/** Delivers what is on its way and answers everything without a fault, until nothing is asked for. */
function quiesce(server: Server, device: Device): void {
  for (let rounds = 0; device.mail.length + device.pulls.length > 0 || device.state.phase === 'waiting'; rounds++) {
    expect(rounds).toBeLessThan(1_000);
    const event = device.mail.shift();
    const pull = event === undefined ? device.pulls.pop() : undefined;
    if (event !== undefined) device.put(event);
    else if (pull !== undefined) device.put(server.answer(pull, 4, false));
    else if (device.state.phase === 'waiting') device.put({ type: 'retry', ticket: device.state.ticket });
  }
}

/** The device holds the log's entries up to its cursor, without a hole inside a range. */
function holdsTruth(server: Server, device: Device): void {
  for (const range of device.ranges) {
    for (const [index, item] of range.entries()) {
      expect(item.seq).toBe((range[0]?.seq ?? 0) + index);
      expect(item).toEqual(server.item(item.seq));
    }
  }
}

function play(actions: readonly Action[], tooLongAfter: number): { server: Server; device: Device } {
  const server = new Server(tooLongAfter);
  const device = new Device();
  server.head = 3;
  for (const action of actions) {
    act(server, device, action);
    holdsTruth(server, device);
  }
  return { server, device };
}

describe('whatever becomes of keys, pages and requests', () => {
  it('entries are applied once, in order, without a hole, and a sync without faults brings the rest', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...usual), { maxLength: 60, size: 'max' }), (actions) => {
        const { server, device } = play(actions, Number.POSITIVE_INFINITY);
        device.put({ type: 'open' });
        device.put({ type: 'sync' });
        quiesce(server, device);
        holdsTruth(server, device);
        expect(device.state).toMatchObject({ phase: 'idle', cursor: server.head });
        expect(device.ranges).toHaveLength(1);
        expect(device.ranges[0]?.at(-1)?.seq).toBe(server.head);
      }),
      { numRuns: 1_000 },
    );
  });

  it('the same over truncation, leaving, rejoining, a restored server and keys of seqs that never were', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(...usual, ...rare), { maxLength: 80, size: 'max' }),
        fc.integer({ min: 2, max: 12 }),
        (actions, tooLongAfter) => {
          const { server, device } = play(actions, tooLongAfter);
          device.put({ type: 'open' });
          device.put({ type: 'sync' });
          quiesce(server, device);
          holdsTruth(server, device);
          if (server.member) {
            expect(device.state).toMatchObject({ phase: 'idle', cursor: server.head });
            if (server.head >= server.visibleFrom) expect(device.ranges.at(-1)?.at(-1)?.seq).toBe(server.head);
          } else {
            expect(['gone', 'unknown']).toContain(device.state.phase);
            expect(device.ranges).toEqual([]);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('with every key delivered once and nothing else, a device follows without a sync', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ count: fc.integer({ min: 1, max: 9 }), answers: small }), { minLength: 1, maxLength: 40 }),
        (bursts) => {
          const server = new Server(Number.POSITIVE_INFINITY);
          const device = new Device();
          let pulls = 0;
          for (const { count, answers } of bursts) {
            for (let i = 0; i < count; i++) device.put({ type: 'key', seq: ++server.head });
            for (let i = 0; i < answers; i++) {
              const pull = device.pulls.pop();
              if (pull === undefined) break;
              pulls++;
              device.put(server.answer(pull, 50, false));
            }
            expect(device.pulls.length).toBeLessThanOrEqual(1);
          }
          expect(pulls).toBeLessThanOrEqual(server.head);
          quiesce(server, device);
          expect(device.state).toMatchObject({ phase: 'idle', cursor: server.head });
          expect(device.violations).toBe(0);
        },
      ),
    );
  });
});
