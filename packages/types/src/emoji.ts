import { z } from 'zod';

/** Longest emoji accepted, UTF-16 units: the longest sequence in use (a family with skin tones) has 35. */
const MAX_UNITS = 48;
const VARIATION_16 = '\u{FE0F}';

/** What recognising emoji takes: made at first use, because not every runtime that uses this package knows these expressions. */
interface Recogniser {
  readonly recommended: RegExp;
  readonly pictographic: RegExp;
  readonly segmenter: Intl.Segmenter;
}
let recogniser: Recogniser | undefined;

function recognise(): Recogniser {
  recogniser ??= {
    recommended: /^\p{RGI_Emoji}$/v,
    pictographic: /\p{Extended_Pictographic}/u,
    segmenter: new Intl.Segmenter('en', { granularity: 'grapheme' }),
  };
  return recogniser;
}

/**
 * The one spelling of an emoji, or `undefined` for what is not exactly one. An emoji is a sequence recommended for general interchange
 * (Unicode Technical Standard 51, RGI), or one grapheme with a pictograph that is newer than this runtime's tables. A text-style
 * character with an emoji form (❤) is given that form, so that both spellings are one reaction.
 */
export function canonicalEmoji(text: string): string | undefined {
  if (text.length === 0 || text.length > MAX_UNITS || !text.isWellFormed()) return undefined;
  const { recommended, pictographic, segmenter } = recognise();
  if (recommended.test(text)) return text;
  const first = String.fromCodePoint(text.codePointAt(0) ?? 0);
  const styled = first + VARIATION_16 + text.slice(first.length);
  if (recommended.test(styled)) return styled;
  const [grapheme, ...more] = segmenter.segment(text);
  return more.length === 0 && grapheme !== undefined && pictographic.test(first) ? text : undefined;
}

/** One emoji, in its one spelling. */
export const emojiSchema = z
  .string()
  .transform((text, context) => {
    const emoji = canonicalEmoji(text);
    if (emoji !== undefined) return emoji;
    context.addIssue({ code: 'custom', message: 'exactly one emoji' });
    return z.NEVER;
  })
  .meta({ id: 'Emoji', type: 'string', example: '👍' });
