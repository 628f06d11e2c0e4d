import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NudgeError } from '../errors.ts';
import { parseStrictJson } from './strict-json.ts';

const refusal = (text: string, maxDepth = 32): NudgeError => {
  try {
    parseStrictJson(text, maxDepth);
  } catch (error) {
    if (error instanceof NudgeError) return error;
    throw error;
  }
  throw new Error('accepted');
};

describe('hostile JSON', () => {
  const deep = (n: number, open = '[', close = ']') => open.repeat(n) + close.repeat(n);
  it.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['a byte order mark', '\uFEFF{}'],
    ['two values', '{}{}'],
    ['a trailing comma', '{"a":1,}'],
    ['single quotes', "{'a':1}"],
    ['a comment', '{"a":1} // x'],
    ['NaN', '{"a":NaN}'],
    ['a leading zero', '[01]'],
    ['a control character in a string', '["a\u0001b"]'],
    ['an unfinished string', '{"a":"b'],
    ['a string that ends in a backslash', '"a\\'],
    ['an unfinished object', '{"a":{"b":1}'],
    ['a bad escape', '"\\x41"'],
  ])('%s is not JSON', (_, text) => {
    expect(refusal(text).detail).toBe('the body is not valid JSON');
  });

  it.each([
    ['plain', '{"a":1,"a":1}'],
    ['escaped', '{"a":1,"\\u0061":2}'],
    ['nested', '{"x":[{"a":1,"b":[],"a":1}]}'],
    ['replacing an object', '{"a":{"b":1,"c":2},"a":null}'],
    ['replaced by an object with as many members', '{"a":1,"a":{}}'],
    ['empty', '{"":1,"":2}'],
  ])('a duplicate key (%s) is refused', (_, text) => {
    expect(refusal(text).detail).toBe('an object has the same key twice');
  });

  it.each([
    ['__proto__', '{"__proto__":{"admin":true}}'],
    ['__proto__ escaped', '{"a":[{"\\u005f_proto__":1}]}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"admin":true}}}'],
  ])('%s is refused', (_, text) => {
    expect(refusal(text).code).toBe('invalid_request');
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it('a key named constructor is a key like others', () => {
    expect(parseStrictJson('{"constructor":"bridges"}', 32)).toEqual({ constructor: 'bridges' });
    expect(parseStrictJson('{"constructor":{"a":1},"hasOwnProperty":1}', 32)).toEqual({ constructor: { a: 1 }, hasOwnProperty: 1 });
  });

  it('depth is judged before parsing, without recursion', () => {
    expect(parseStrictJson(deep(32), 32)).toBeInstanceOf(Array);
    expect(refusal(deep(33)).detail).toContain('jsonDepth');
    expect(refusal(deep(33, '{"a":', '}').replace(':}', ':1}')).detail).toContain('jsonDepth');
    expect(refusal('['.repeat(1_000_000)).detail).toContain('jsonDepth');
    expect(refusal('{"a":'.repeat(100_000)).detail).toContain('jsonDepth');
    expect(parseStrictJson(`["${'['.repeat(1_000)}"]`, 1)).toHaveLength(1);
    expect(parseStrictJson(`[${'[],'.repeat(1_000)}[]]`, 2)).toHaveLength(1_001);
  });

  it('never quotes the text', () => {
    for (const text of ['{"canary":canary}', '{"canary":1,"canary":2}', 'canary'])
      expect(JSON.stringify(refusal(text))).not.toContain('canary');
  });
});

describe('all other JSON', () => {
  it('comes out as JSON.parse reads it', () => {
    const noPrototypeKeys = fc.json().filter((text) => !text.includes('__proto__') && !text.includes('constructor'));
    fc.assert(
      fc.property(noPrototypeKeys, (text) => {
        expect(parseStrictJson(text, 1_000)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('takes structure inside of strings for text', () => {
    const text = JSON.stringify({ a: '":{[]},\\"', '"b:': ['\\', '\\\\"', '{"a":1}'], 'c\\': ':' });
    expect(parseStrictJson(text, 2)).toEqual(JSON.parse(text));
  });
});
