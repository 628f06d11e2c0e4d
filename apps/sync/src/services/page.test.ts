import { describe, expect, it } from 'vitest';
import { encodePage, type Page } from './page.ts';

const pageOf = (char: string, chars: number): Page =>
  encodePage({
    epoch: 1,
    first: 1,
    texts: [JSON.stringify({ seq: 1, body: { text: char.repeat(chars) } })],
    head: 1,
    oldestSeq: 1,
    more: false,
  });

describe('a page', () => {
  it.each([
    ['x', 10_000, 'string'],
    ['x', 20_000, 'object'],
    ['ä', 1_000, 'string'],
    ['ä', 5_000, 'object'],
    ['😀', 2_000, 'object'],
  ])('of %s times %d is answered as %s, of the same bytes, and counts what it holds', (char, chars, type) => {
    const page = pageOf(char, chars);
    expect(typeof page.json).toBe(type);
    expect(Buffer.from(page.json as string).equals(page.whole)).toBe(true);
    const perChar = char === 'x' ? 1 : 2;
    expect(page.bytes).toBe(page.whole.length + (typeof page.json === 'string' ? page.json.length * perChar : 0));
  });
});
