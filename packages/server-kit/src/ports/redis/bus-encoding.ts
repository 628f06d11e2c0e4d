import type { LogName } from '@nudge/types';
import { type BusMessage, kickReasons } from '../bus.ts';

/**
 * A message as one line: a letter for its kind, then its fields separated by commas. No id holds a comma or a line break, so several
 * messages of a topic travel as lines of one text. A key is `k<seq>,<log>` (`K` when direct), some 45 bytes; the
 * trace of its send follows where there is one.
 */
export function encodeMessage(message: BusMessage): string {
  switch (message.kind) {
    case 'key':
      return `${message.direct ? 'K' : 'k'}${message.seq},${message.log}${message.traceparent === undefined ? '' : `,${message.traceparent}`}`;
    case 'control':
      return `c${message.memberVersion},${message.head},${message.conversationId}`;
    case 'receipt':
      return `r${message.readSeq ?? ''},${message.deliveredSeq ?? ''},${message.conversationId},${message.userId}`;
    case 'user':
      return 'u';
    case 'kick':
      return `x${message.reason},${message.deviceId ?? ''},${message.sessionId ?? ''}`;
    case 'packet':
      return `p${message.text}`;
  }
}

/** A log's name that can stand between quotes as it is, which is how frames are written. */
const logForm = /^[cua]\/[^"\\\p{Cc}]{1,64}$/u;

/** The messages of a text, in order. Lines of a kind or form not known here come from a later version and are passed over. */
export function decodeMessages(text: string): BusMessage[] {
  const messages: BusMessage[] = [];
  for (const line of text.split('\n')) {
    const message = decodeLine(line);
    if (message !== undefined) messages.push(message);
  }
  return messages;
}

function decodeLine(line: string): BusMessage | undefined {
  const [first = '', second = '', third = '', fourth = ''] = line.slice(1).split(',');
  switch (line[0]) {
    case 'k':
    case 'K': {
      const seq = count(first);
      if (seq === undefined || !logForm.test(second)) return undefined;
      const log = second as LogName;
      return {
        kind: 'key',
        log,
        seq,
        ...(line[0] === 'K' ? { direct: true as const } : {}),
        ...(third === '' ? {} : { traceparent: third }),
      };
    }
    case 'c': {
      const [memberVersion, head] = [count(first), count(second)];
      if (memberVersion === undefined || head === undefined || third === '') return undefined;
      return { kind: 'control', conversationId: third, memberVersion, head };
    }
    case 'r': {
      const [readSeq, deliveredSeq] = [count(first), count(second)];
      if (third === '' || fourth === '') return undefined;
      return {
        kind: 'receipt',
        conversationId: third,
        userId: fourth,
        ...(readSeq === undefined ? {} : { readSeq }),
        ...(deliveredSeq === undefined ? {} : { deliveredSeq }),
      };
    }
    case 'u':
      return { kind: 'user' };
    case 'x': {
      const reason = kickReasons.find((known) => known === first);
      if (reason === undefined) return undefined;
      return { kind: 'kick', reason, ...(second === '' ? {} : { deviceId: second }), ...(third === '' ? {} : { sessionId: third }) };
    }
    case 'p':
      return { kind: 'packet', text: line.slice(1) };
    default:
      return undefined;
  }
}

function count(text: string): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}
