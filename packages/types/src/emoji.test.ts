import { describe, expect, it } from 'vitest';
import { canonicalEmoji } from './emoji.ts';

describe('an emoji', () => {
  it.each(['👍', '👍🏽', '❤️', '👩‍👩‍👧‍👦', '🇨🇭', '1️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🧑🏻‍❤️‍💋‍🧑🏿'])('%s is one', (emoji) => {
    expect(canonicalEmoji(emoji)).toBe(emoji);
  });

  it('has one spelling', () => {
    expect(canonicalEmoji('❤')).toBe('❤️');
    expect(canonicalEmoji('1⃣')).toBe('1️⃣');
    for (const style of ['\ufe0e', '\ufe0f', '\ufe0f\ufe0f']) {
      expect(canonicalEmoji(`👍${style}`)).toBe('👍');
      expect(canonicalEmoji(`❤${style}`)).toBe('❤️');
    }
    for (const [one, other] of [
      ['', '\ufe0f'],
      ['\ufe0f', ''],
      ['', ''],
    ]) {
      expect(canonicalEmoji(`👁${one}\u200d🗨${other}`)).toBe('👁\ufe0f\u200d🗨\ufe0f');
    }
    expect(canonicalEmoji('🏳‍🌈')).toBe('🏳️‍🌈');
    expect(canonicalEmoji('⛹🏻‍♂')).toBe('⛹🏻‍♂️');
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
    '👍\u0301',
    '👍\u200d',
    '👍\u{e0061}\u{e0062}\u{e007f}',
    '\u{200d}👍',
    '🇨',
    ':+1:',
  ])('%j is none', (text) => {
    expect(canonicalEmoji(text)).toBeUndefined();
  });
});
