import type { LogKey, LogName } from '@nudge/types';
import type { Notice } from './key-box.ts';

/** A `notify` event encoded down to the bytes of its WebSocket frame, in the form engine.io's transport sends without encoding again. */
export type KeyFrame = readonly [
  {
    readonly type: 'message';
    readonly options: { readonly wsPreEncodedFrame: readonly [Buffer] };
  },
];

/** Slots of the memo; a power of two. */
const slots = 512;

/**
 * Encodes `notify`. The frame of a single key is remembered: a message in a conversation of ten is one encoding and nine hits. The memo is
 * a direct-mapped table, so a hit costs two comparisons and a collision only an encoding.
 */
export class KeyFrames {
  readonly #logs = new Array<LogName | undefined>(slots).fill(undefined);
  readonly #seqs = new Float64Array(slots);
  readonly #frames = new Array<KeyFrame | undefined>(slots).fill(undefined);

  readonly #traceOf: (log: LogName, seq: number) => string | undefined;

  /** @param traceOf in what trace a log reached a seq, when it is traced */
  constructor(traceOf: (log: LogName, seq: number) => string | undefined = () => undefined) {
    this.#traceOf = traceOf;
  }

  ofKey(log: LogName, seq: number): KeyFrame {
    // The last characters of a UUID are random; of short names any will do.
    const at =
      (seq * 31 + log.charCodeAt(log.length - 1) * 7 + log.charCodeAt(log.length - 2) * 131 + log.charCodeAt(log.length - 3)) & (slots - 1);
    const known = this.#frames[at];
    if (known !== undefined && this.#seqs[at] === seq && this.#logs[at] === log) return known;
    const frame = encode(`${key(log, seq)}]${traced(this.#traceOf(log, seq))}}]`);
    this.#logs[at] = log;
    this.#seqs[at] = seq;
    this.#frames[at] = frame;
    return frame;
  }

  of(notice: Notice): KeyFrame {
    const [only, second] = notice.keys;
    if (only !== undefined && second === undefined && !notice.resync) return this.ofKey(only[0], only[1]);
    const trace = notice.keys.reduce<string | undefined>((found, [log, seq]) => this.#traceOf(log, seq) ?? found, undefined);
    return encode(`${joined(notice.keys)}]${notice.resync ? ',"resync":true' : ''}${traced(trace)}}]`);
  }
}

/** Names of logs hold no character that JSON escapes (the schemas of their ids see to that). */
const key = (log: LogName, seq: number): string => `["${log}",${seq}]`;

const traced = (parent: string | undefined): string => (parent === undefined ? '' : `,"traceparent":"${parent}"`);

function joined(keys: readonly LogKey[]): string {
  let text = '';
  for (const [log, seq] of keys) text += text === '' ? key(log, seq) : `,${key(log, seq)}`;
  return text;
}

/** engine.io `message` (4), socket.io `EVENT` (2), in one unmasked, final text frame (RFC 6455, 5.2). */
function encode(rest: string): KeyFrame {
  const text = `42["notify",{"keys":[${rest}`;
  const length = Buffer.byteLength(text, 'latin1');
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafeSlow(head + length);
  bytes[0] = 0x81;
  if (head === 2) {
    bytes[1] = length;
  } else if (head === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.write(text, head, 'latin1');
  return [{ type: 'message', options: { wsPreEncodedFrame: [bytes] } }];
}
