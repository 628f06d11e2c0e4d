import { ManualClock } from '@nudge/server-kit/testing';
import type { LogName } from '@nudge/types';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Coalescer, type Receiver } from './coalescer.ts';
import type { Connection } from './connection.ts';
import { GatewayCounts } from './counts.ts';
import { KeyBox } from './key-box.ts';
import { type KeyFrame, KeyFrames } from './key-frame.ts';

const logs = Array.from({ length: 6 }, (_, i) => `c/${i}` as LogName);
const bound = 4;

/** A device behind a socket that may stop taking frames, or be gone. */
class Device implements Connection {
  writable = true;
  #waiting: (() => void) | undefined;
  readonly onKeys: (keys: readonly [LogName, number][], resync: boolean) => void;

  constructor(onKeys: (keys: readonly [LogName, number][], resync: boolean) => void) {
    this.onKeys = onKeys;
  }

  sendKeys(frame: KeyFrame): void {
    expect(this.writable).toBe(true);
    const { keys, resync = false } = parse(frame);
    this.onKeys(keys, resync);
  }

  onceWritable(listener: () => void): void {
    expect(this.#waiting).toBeUndefined();
    this.#waiting = listener;
  }

  pause(): void {
    this.writable = false;
  }

  drain(): void {
    this.writable = true;
    const listener = this.#waiting;
    this.#waiting = undefined;
    listener?.();
  }

  control = vi.fn();
  presence = vi.fn();
  disconnect = vi.fn();
  join = vi.fn();
  leave = vi.fn();
}

function parse(frame: KeyFrame): { keys: [LogName, number][]; resync?: boolean } {
  const bytes = frame[0].options.wsPreEncodedFrame[0];
  const length = bytes[1] ?? 0;
  const text = bytes.subarray(length < 126 ? 2 : length === 126 ? 4 : 10).toString();
  expect(text.startsWith('42["notify",')).toBe(true);
  return (JSON.parse(text.slice(2)) as [string, { keys: [LogName, number][]; resync?: boolean }])[1];
}

function bench() {
  const clock = new ManualClock();
  const load = { gapMs: 0, delayMs: 0 };
  const counts = new GatewayCounts();
  const deferred: (() => void)[] = [];
  const coalescer = new Coalescer({ clock, load, frames: new KeyFrames(), counts, bound, defer: (fn) => deferred.push(fn) });
  const receiver: Receiver = { box: new KeyBox(), connection: undefined, heardAt: 0, dueAt: Number.POSITIVE_INFINITY, blocked: false };
  const heard: { keys: readonly [LogName, number][]; resync: boolean; at: number }[] = [];
  const turn = () => {
    for (let fn = deferred.shift(); fn !== undefined; fn = deferred.shift()) fn();
  };
  const connect = (): Device => {
    const device = new Device((keys, resync) => heard.push({ keys, resync, at: clock.now() }));
    receiver.connection = device;
    coalescer.attached(receiver);
    return device;
  };
  return { clock, load, counts, coalescer, receiver, heard, turn, connect };
}

describe('coalescer', () => {
  it('tells a quiet session at once, without a turn of the event loop', () => {
    const { coalescer, receiver, heard, connect } = bench();
    connect();
    coalescer.offer(receiver, logs[0] as LogName, 1, false);
    expect(heard.map(({ keys }) => keys)).toEqual([[['c/0', 1]]]);
  });

  it('lets one that has just heard wait the gap, and merges what comes meanwhile', () => {
    const { clock, load, coalescer, receiver, heard, turn, connect } = bench();
    connect();
    load.gapMs = 200;
    const start = clock.now();
    coalescer.offer(receiver, 'c/0', 1, false);
    for (let seq = 2; seq <= 50; seq++) coalescer.offer(receiver, 'c/0', seq, false);
    coalescer.offer(receiver, 'c/1', 9, false);
    clock.advance(190);
    turn();
    expect(heard).toHaveLength(1);
    clock.advance(20);
    turn();
    expect(heard).toHaveLength(2);
    expect(heard[1]?.keys).toEqual([
      ['c/0', 50],
      ['c/1', 9],
    ]);
    expect((heard[1]?.at ?? 0) - start).toBeLessThanOrEqual(210);
  });

  it('pushes direct keys past the gap, with what waits', () => {
    const { load, coalescer, receiver, heard, turn, connect } = bench();
    connect();
    load.gapMs = 200;
    coalescer.offer(receiver, 'c/0', 1, false);
    coalescer.offer(receiver, 'c/0', 2, false);
    coalescer.offer(receiver, 'c/1', 5, true);
    turn();
    expect(heard.at(-1)?.keys).toEqual([
      ['c/0', 2],
      ['c/1', 5],
    ]);
  });

  it('does not repeat what the same connection was told', () => {
    const { coalescer, receiver, heard, counts, turn, connect } = bench();
    connect();
    for (const seq of [3, 3, 2, 1]) coalescer.offer(receiver, 'c/0', seq, false);
    turn();
    expect(heard).toHaveLength(1);
    expect(counts.keysKnown).toBe(3);
  });

  it('collapses beyond the bound into one resync', () => {
    const { coalescer, receiver, heard, turn, connect } = bench();
    const device = connect();
    device.pause();
    for (let i = 0; i < 1_000; i++) coalescer.offer(receiver, `c/${i}`, 1, false);
    turn();
    expect(receiver.box.pendingCount).toBe(1);
    device.drain();
    turn();
    expect(heard).toEqual([{ keys: [], resync: true, at: expect.any(Number) }]);
  });

  it('gives back on the next connection what was not confirmed', () => {
    const { coalescer, receiver, heard, turn, connect } = bench();
    connect();
    coalescer.offer(receiver, 'c/0', 1, false);
    receiver.box.confirm();
    receiver.box.confirm();
    coalescer.offer(receiver, 'c/0', 2, false);
    coalescer.detached(receiver);
    coalescer.offer(receiver, 'c/1', 1, false);
    heard.length = 0;
    connect();
    turn();
    expect(heard[0]?.keys).toEqual([
      ['c/0', 2],
      ['c/1', 1],
    ]);
  });

  it('keeps the newest of everything for every session, whatever happens, within its bound', () => {
    const command = fc.oneof(
      { weight: 8, arbitrary: fc.record({ do: fc.constant('publish' as const), log: fc.nat(logs.length - 1), direct: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('replay' as const), log: fc.nat(logs.length - 1), back: fc.nat(3) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(120) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('turn' as const, 'pause' as const, 'drain' as const, 'pong' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('drop' as const, 'lose' as const, 'connect' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('gap' as const), ms: fc.nat(100) }) },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200, size: 'max' }), (commands) => {
        const { clock, load, coalescer, receiver, turn } = bench();
        const published = new Map<LogName, number>();
        /** What the device knows for sure: heard on a connection that did not lose it. A resync brings everything published so far. */
        let known = new Map<LogName, number>();
        let confirmed = new Map<LogName, number>();
        let atPing = new Map<LogName, number>();
        let device: Device | undefined;
        const connect = () => {
          const made = new Device((keys, resync) => {
            if (resync) known = new Map(published);
            for (const [log, seq] of keys) {
              expect(seq).toBeLessThanOrEqual(published.get(log) ?? 0);
              known.set(log, Math.max(seq, known.get(log) ?? 0));
            }
          });
          receiver.connection = made;
          coalescer.attached(receiver);
          device = made;
        };
        const disconnect = () => {
          if (device === undefined) return;
          device = undefined;
          coalescer.detached(receiver);
        };
        connect();
        for (const step of commands) {
          if (step.do === 'publish') {
            const log = logs[step.log] as LogName;
            const seq = (published.get(log) ?? 0) + 1;
            published.set(log, seq);
            coalescer.offer(receiver, log, seq, step.direct);
          } else if (step.do === 'replay') {
            const log = logs[step.log] as LogName;
            const seq = (published.get(log) ?? 0) - step.back;
            if (seq > 0) coalescer.offer(receiver, log, seq, false);
          } else if (step.do === 'advance') clock.advance(step.ms);
          else if (step.do === 'gap') load.gapMs = step.ms;
          else if (step.do === 'turn') turn();
          else if (step.do === 'pause') device?.pause();
          else if (step.do === 'drain') device?.drain();
          else if (step.do === 'pong' && device !== undefined) {
            // The answer proves what was pushed before its ping, and the next ping leaves after it.
            confirmed = atPing;
            atPing = new Map(known);
            receiver.box.confirm();
          } else if (step.do === 'drop') disconnect();
          else if (step.do === 'lose' && device !== undefined) {
            // Everything since the last answered ping may be lost with the connection.
            disconnect();
            known = new Map(confirmed);
            atPing = new Map(confirmed);
          } else if (step.do === 'connect' && device === undefined) connect();
          expect(receiver.box.pendingCount).toBeLessThanOrEqual(bound + 1);
          expect(receiver.box.unconfirmedCount).toBeLessThanOrEqual(bound + 1);
        }
        if (device === undefined) connect();
        device?.drain();
        for (let i = 0; i < 4; i++) {
          turn();
          clock.advance(200);
        }
        expect(Object.fromEntries(known)).toEqual(Object.fromEntries(published));
        expect(receiver.box.isEmpty).toBe(true);
      }),
      { numRuns: 400 },
    );
  });
});
