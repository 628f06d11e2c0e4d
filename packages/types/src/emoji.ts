import { z } from 'zod';

/** Longest emoji accepted, UTF-16 units: the longest sequence in use (a family with skin tones) has 35. */
const MAX_UNITS = 48;
const EMOJI_STYLE = '\u{FE0F}';

/** What recognising emoji takes: made at first use, because not every runtime that uses this package knows these expressions. */
interface Recogniser {
  readonly recommended: RegExp;
  /** Pictographs with skin tones, alone or joined. */
  readonly newer: RegExp;
  readonly styles: RegExp;
  /** What is text by default and has no skin tone behind it. */
  readonly unstyled: RegExp;
  readonly segmenter: Intl.Segmenter;
}
let recogniser: Recogniser | undefined;

function recognise(): Recogniser {
  recogniser ??= {
    recommended: /^\p{RGI_Emoji}$/v,
    newer: /^\p{Extended_Pictographic}\u{FE0F}?\p{Emoji_Modifier}?(?:\u{200D}\p{Extended_Pictographic}\u{FE0F}?\p{Emoji_Modifier}?)*$/u,
    styles: /[\u{FE0E}\u{FE0F}]/gu,
    unstyled: /(?=\p{Emoji})\P{Emoji_Presentation}(?!\p{Emoji_Modifier})/gu,
    segmenter: new Intl.Segmenter('en', { granularity: 'grapheme' }),
  };
  return recogniser;
}

/**
 * The one spelling of an emoji, or `undefined` for what is not exactly one. An emoji is a sequence recommended for general interchange
 * (Unicode Technical Standard 51, RGI), or one grapheme of nothing but pictographs, joiners and skin tones that is newer than this runtime's
 * tables. Styles are written as the standard's fully-qualified form has them, whatever the client wrote (❤, 👍 with a selector), so that
 * what looks the same is one reaction.
 */
export function canonicalEmoji(text: string): string | undefined {
  if (text.length === 0 || text.length > MAX_UNITS || !text.isWellFormed()) return undefined;
  const { recommended, newer, styles, unstyled, segmenter } = recognise();
  const emoji = text.replace(styles, '').replace(unstyled, `$&${EMOJI_STYLE}`);
  if (recommended.test(emoji)) return emoji;
  return newer.test(emoji) && [...segmenter.segment(emoji)].length === 1 ? emoji : undefined;
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
