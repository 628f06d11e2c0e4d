import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NudgeError } from '../errors.ts';
import { decodePart, parseQuery } from './query.ts';

it.each([
  ['/p', {}],
  ['/p?', {}],
  ['/p?a=1&b=2', { a: '1', b: '2' }],
  ['/p?a', { a: '' }],
  ['/p?a=&&b=1&', { a: '', b: '1' }],
  ['/p?a=b=c', { a: 'b=c' }],
  ['/p?a=1?b=2', { a: '1?b=2' }],
  ['/p?a%20b=c+d%2B', { 'a b': 'c d+' }],
  ['/p?toString=1&constructor=2', { toString: '1', constructor: '2' }],
  ['/p?ids=%F0%9F%98%80', { ids: '😀' }],
])('%s', (target, expected) => {
  expect({ ...parseQuery(target) }).toEqual(expected);
});

it('makes no prototype of a name', () => {
  const query = parseQuery('/p?__proto__=x');
  expect(Object.keys(query)).toEqual(['__proto__']);
  expect(({} as { x?: string }).x).toBeUndefined();
});

it.each(['/p?a=1&a=2', '/p?a=1&%61=2', '/p?__proto__=1&__proto__=2', '/p?a=%', '/p?a=%zz', '/p?a=%ff', '/p?%c3%28=1'])(
  '%s is refused',
  (target) => {
    expect(() => parseQuery(target)).toThrow(NudgeError);
  },
);

it('decodes a part of a path, where + is a plus', () => {
  expect(decodePart('a+b%20c', 'params')).toBe('a+b c');
  expect(() => decodePart('%e0%a4%a', 'params')).toThrow(NudgeError);
});

it('reads any text or refuses it, and reads back what was written', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      try {
        parseQuery(`/p?${text}`);
      } catch (error) {
        expect(error).toBeInstanceOf(NudgeError);
      }
    }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.string()), (query) => {
      expect({ ...parseQuery(`/p?${new URLSearchParams(Object.entries(query))}`) }).toEqual({ ...query });
    }),
  );
});
