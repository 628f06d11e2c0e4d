import type { Writable } from 'node:stream';
import type { LogKey, LogName } from '@nudge/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as ws from 'ws';
import { type KeyFrame, KeyFrames } from './key-frame.ts';

/** ws's parser of frames, exported but not typed. */
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

/** Reads a frame with ws's own parser. */
function read(frame: KeyFrame): unknown {
  let text = '';
  const receiver = new Receiver({ isServer: false });
  receiver.on('message', (data: Buffer) => {
    text = data.toString();
  });
  receiver.write(frame[0].options.wsPreEncodedFrame[0]);
  expect(text.startsWith('42')).toBe(true);
  return JSON.parse(text.slice(2)) as unknown;
}

describe('key frame', () => {
  it('names the trace of a key that has one, of several the last', () => {
    const frames = new KeyFrames((log, seq) => (seq === 2 ? `trace of ${log}` : undefined));
    expect(read(frames.ofKey('c/a', 1))).toEqual(['notify', { keys: [['c/a', 1]] }]);
    expect(read(frames.ofKey('c/a', 2))).toEqual(['notify', { keys: [['c/a', 2]], traceparent: 'trace of c/a' }]);
    const keys: LogKey[] = [
      ['c/a', 2],
      ['c/b', 2],
      ['c/c', 3],
    ];
    expect(read(frames.of({ keys, resync: true }))).toEqual(['notify', { keys, resync: true, traceparent: 'trace of c/b' }]);
  });

  it('is one text frame that holds the notify event, at every length', () => {
    const log = fc.stringMatching(/^c\/[0-9a-f]{8}-[0-9a-f]{4}$/) as fc.Arbitrary<LogName>;
    fc.assert(
      fc.property(fc.array(fc.tuple(log, fc.nat()), { maxLength: 300, size: 'max' }), fc.boolean(), (keys, resync) => {
        expect(read(new KeyFrames().of({ keys, resync }))).toEqual(['notify', { keys, ...(resync ? { resync } : {}) }]);
      }),
      { numRuns: 200 },
    );
    const many = Array.from({ length: 2_000 }, (_, i) => [`c/${String(i).padStart(36, '0')}`, i] as [LogName, number]);
    expect(read(new KeyFrames().of({ keys: many, resync: false }))).toEqual(['notify', { keys: many }]);
  });

  it('remembers the frame of a key and never confuses two', () => {
    const frames = new KeyFrames();
    expect(frames.ofKey('c/abc', 7)).toBe(frames.ofKey('c/abc', 7));
    fc.assert(
      fc.property(fc.stringMatching(/^c\/[0-9a-f]{1,3}$/), fc.nat(40), (log, seq) => {
        expect(read(frames.ofKey(log as LogName, seq))).toEqual(['notify', { keys: [[log, seq]] }]);
      }),
      { numRuns: 2_000 },
    );
  });
});
