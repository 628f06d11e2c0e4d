import { describe, expect, it } from 'vitest';
import { canonicalEmoji } from './emoji.ts';

describe('an emoji', () => {
  it.each(['👍', '👍🏽', '❤️', '👩‍👩‍👧‍👦', '🇨🇭', '1️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🧑🏻‍❤️‍💋‍🧑🏿'])('%s is one', (emoji) => {
    expect(canonicalEmoji(emoji)).toBe(emoji);
  });

  it('has one spelling', () => {
    expect(canonicalEmoji('❤')).toBe('❤️');
    expect(canonicalEmoji('1⃣')).toBe('1️⃣');
  });

  it.each([
    '',
    'a',
    '1',
    'ok',
    '👍👍',
    '👍 ',
    ' ',
    '\u200d',
    '\ufe0f',
    'é',
    'e\u0301',
    '👍\u0000',
    '\ud83d',
    `👍${'\u0301'.repeat(60)}`,
    '🇨',
    ':+1:',
  ])('%j is none', (text) => {
    expect(canonicalEmoji(text)).toBeUndefined();
  });
});
