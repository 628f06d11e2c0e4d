import { expect, it } from 'vitest';
import type { BusMessage } from '../bus.ts';
import { decodeMessages, encodeMessage } from './bus-encoding.ts';

const conversationId = '0198c0de-0000-7000-8000-000000000001';

const messages: Record<string, BusMessage> = {
  key: { kind: 'key', log: `c/${conversationId}`, seq: 9_007_199_254_740_991 },
  'direct key': { kind: 'key', log: 'u/a.b:c@d-e_f', seq: 0, direct: true },
  'traced key': { kind: 'key', log: 'c/1', seq: 5, traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
  control: { kind: 'control', conversationId, memberVersion: 3, head: 0 },
  'receipt of reading': { kind: 'receipt', conversationId, userId: 'alice', readSeq: 0 },
  'receipt of delivery': { kind: 'receipt', conversationId, userId: 'alice', deliveredSeq: 7 },
  'receipt of both': { kind: 'receipt', conversationId, userId: 'alice', readSeq: 5, deliveredSeq: 7 },
  user: { kind: 'user' },
  'kick of all': { kind: 'kick', reason: 'token_revoked' },
  'kick of a device': { kind: 'kick', reason: 'kicked', deviceId: 'phone.1:2' },
  'kick of a session': { kind: 'kick', reason: 'session_replaced', sessionId: 's-1' },
  packet: { kind: 'packet', text: '{"a":[1,2],"b":"ü"}' },
};

it.each(Object.entries(messages))('carries a %s unchanged', (_, message) => {
  expect(decodeMessages(encodeMessage(message))).toEqual([message]);
});

it('carries several as lines, in order', () => {
  const all = Object.values(messages);
  expect(decodeMessages(all.map(encodeMessage).join('\n'))).toEqual(all);
});

it('passes over what it does not know', () => {
  const key = encodeMessage({ kind: 'key', log: 'c/1', seq: 1 });
  for (const line of [
    '',
    'z1,2',
    'k',
    'kx,c/1',
    'k1',
    'k-1,c/1',
    'k1e9,c/1',
    'c1,2',
    'r,,',
    'xunheard,,',
    'K99999999999999999,c/1',
    'k1,c/"',
    'k1,x/1',
    'k1,c/\\',
  ]) {
    expect(decodeMessages(`${line}\n${key}`)).toEqual([{ kind: 'key', log: 'c/1', seq: 1 }]);
  }
});
