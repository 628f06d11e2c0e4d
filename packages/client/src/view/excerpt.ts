/** Code points of an excerpt, as in `excerptOf` of @nudge/types, which a browser does not load. */
const CHARACTERS = 140;

/** What a quotation shows of a body: the first 140 code points of its `text`; empty where that is no string. */
export function excerptOf(body: Readonly<Record<string, unknown>> | null | undefined): string {
  const text = body?.text;
  if (typeof text !== 'string') return '';
  if (text.length <= CHARACTERS) return text;
  return Array.from(text.slice(0, 2 * CHARACTERS))
    .slice(0, CHARACTERS)
    .join('');
}
