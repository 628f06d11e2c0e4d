/** A finished page: the answer of `listEntries`, whose tail is also the delta of that log in `POST /v1/sync`. */
export interface Page {
  /** `{"epoch":…,"entries":[…],"mine":{},"head":…,"oldestSeq":…,"more":…}` in UTF-8. Shared: never written to. */
  readonly whole: Buffer;
  /** What a handler answers with: a small page as text, which leaves in one write together with its head. */
  readonly json: Buffer | string;
  /** Where `"entries"` begins in `whole`. */
  readonly deltaAt: number;
  readonly count: number;
}

/** What a page says. `oldestSeq` is the visible start of this viewer; `texts` are entries as wire JSON, taken over unparsed. */
export interface PageContent {
  readonly epoch: number;
  readonly texts: readonly string[];
  readonly head: number;
  readonly oldestSeq: number;
  readonly more: boolean;
}

const SMALL_BYTES = 4096;

/** Encodes a page. `mine` is what differs by viewer; it has no content yet, and a page with any must not be shared between viewers. */
export function encodePage(content: PageContent): Page {
  const opening = `{"epoch":${content.epoch},`;
  const text = `${opening}"entries":[${content.texts.join(',')}],"mine":{},"head":${content.head},"oldestSeq":${content.oldestSeq},"more":${content.more}}`;
  const whole = Buffer.from(text);
  return { whole, json: whole.length <= SMALL_BYTES ? text : whole, deltaAt: opening.length, count: content.texts.length };
}

/** The page as the value of one log in `POST /v1/sync`. With `tooLong` the client starts a new range at `snapshotSeq`. */
export function deltaOf(page: Page, tooLong?: { readonly snapshotSeq: number; readonly oldestSeq: number }): Buffer[] {
  const body = page.whole.subarray(page.deltaAt);
  if (tooLong === undefined) return [OPEN, body];
  const mark = `,"tooLong":{"snapshotSeq":${tooLong.snapshotSeq},"oldestSeq":${tooLong.oldestSeq}}}`;
  return [OPEN, body.subarray(0, -1), Buffer.from(mark)];
}

const OPEN = Buffer.from('{');
