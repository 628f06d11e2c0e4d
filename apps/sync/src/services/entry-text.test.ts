import { describe, expect, test } from 'vitest';
import { actOf, expiryOf, masked, outdates, reactedOf } from './entry-text.ts';

const entry = (seq: number, type: string, rest: string): string => `{"seq":${seq},"type":"${type}"${rest}}`;
const sender = ',"senderId":"target","createdAt":"2026-01-01T00:00:00.000Z"';
const plain = entry(7, 'message', `${sender},"clientMsgId":"\\"target\\":5","body":{"text": "x"}`);

describe('what an entry acts on', () => {
  test.each([
    ['message.edited', true],
    ['message.redacted', true],
    ['reaction.added', false],
    ['reaction.removed', false],
    ['message.pinned', false],
    ['message.unpinned', false],
  ])('%s', (type, rewrites) => {
    expect(actOf(entry(123456, type, `,"target":98765${sender},"body":null`))).toEqual({ target: 98765, rewrites });
  });

  test.each([plain, entry(7, 'custom.target', `${sender},"body":{"target": 5}`), '{"seq":7}', 'x', ''])('nothing: %j', (text) => {
    expect(actOf(text)).toBeUndefined();
    expect(masked(text, 99)).toBe(text);
  });
});

test('a quotation is one of ours, never one that a user wrote', () => {
  const reply = entry(7, 'message', `${sender},"replyTo":{"seq":3,"senderId":"a","excerpt":""},"body":{}`);
  const written = entry(7, 'message', `${sender},"body":{"replyTo": {"seq": 3, "senderId": "a"}, "text": "\\"replyTo\\":{\\"seq\\":3,"}`);
  const edit = { target: 3, rewrites: true };
  expect([outdates(edit, 7, reply), outdates(edit, 7, written), outdates({ ...edit, target: 30 }, 7, reply)]).toEqual([true, false, false]);
  expect([outdates({ target: 3, rewrites: false }, 7, reply), outdates({ target: 7, rewrites: false }, 7, reply)]).toEqual([false, true]);
  expect(masked(written, 5)).toBe(written);
});

test('an expiry counts while there is something left to expire', () => {
  const at = '"expiresAt":"2026-01-01T00:00:01.000Z"';
  const ms = Date.parse('2026-01-01T00:00:01.000Z');
  const quoting = (more: string) => entry(7, 'message', `${sender},"replyTo":{"seq":3,"senderId":"a","excerpt":"",${at}${more}},"body":{}`);
  expect(expiryOf(entry(7, 'message', `${sender},${at},"body":{}`))).toBe(ms);
  expect(expiryOf(entry(7, 'message', `${sender},${at},"redacted":true,"body":null`))).toBe(Number.POSITIVE_INFINITY);
  expect([expiryOf(quoting('')), expiryOf(quoting(',"redacted":true'))]).toEqual([ms, Number.POSITIVE_INFINITY]);
  expect(expiryOf(entry(7, 'message', `${sender},"body":{"expiresAt": "2026-01-01T00:00:01.000Z"}`))).toBe(Number.POSITIVE_INFINITY);
});

test('of what lies before the start only the seq is named', () => {
  const edit = entry(7, 'message.edited', `,"target":3${sender},"mentions":["a"],"body":{"text": "x"}`);
  expect(masked(edit, 4)).toBe('{"seq":7,"type":"message.edited","target":3}');
  expect(masked(masked(edit, 4), 4)).toBe('{"seq":7,"type":"message.edited","target":3}');
  expect(masked(edit, 3)).toBe(edit);
  const reply = entry(
    7,
    'message',
    `${sender},"replyTo":{"seq":3,"senderId":"a","excerpt":"} \\" ,"},"stateSeq":9,"body":{"n": 1.5, "text": "x"}`,
  );
  expect(JSON.parse(masked(reply, 4))).toEqual({ ...JSON.parse(reply), replyTo: { seq: 3 } });
  expect(masked(reply, 3)).toBe(reply);
});

test('entries with reactions are found by their own member', () => {
  const reacted = entry(8, 'message', `${sender},"reactions":[{"emoji": "x", "count": 1, "users": ["a"]}],"body":{}`);
  const written = entry(9, 'message', `${sender},"body":{"reactions": [], "text": "\\"reactions\\":["}`);
  const of = (texts: string[]) => reactedOf(texts, 7, texts.join(','));
  expect([of([plain, reacted, written]), of([plain, written])]).toEqual([
    [{ seq: 8, reactions: [{ emoji: 'x', count: 1, users: ['a'] }] }],
    [],
  ]);
});
