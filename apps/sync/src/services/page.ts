import type { OwnReactions } from '../store/pull-store.ts';
import { masked, reactedOf } from './entry-text.ts';
import type { Reacted } from './own-reactions.ts';

/** A finished page: the answer of `listEntries`, whose tail is also the delta of that log in `POST /v1/sync`. */
export interface Page {
  /** `{"epoch":…,"entries":[…],"mine":{},"head":…,"oldestSeq":…,"more":…}` in UTF-8. Shared: never written to. */
  readonly whole: Buffer;
  /** What a handler answers with: a small page as text, which leaves in one write together with its head. */
  readonly json: Buffer | string;
  /** Where `"entries"` begins in `whole`. */
  readonly deltaAt: number;
  /** Where the value of `"mine"` begins in `whole`. */
  readonly mineAt: number;
  /** What it takes in memory. */
  readonly bytes: number;
  readonly count: number;
  /** Its entries with reactions. Where there are any, each viewer is told beside the shared page which are the own ones. */
  readonly reacted: readonly Reacted[];
}

/**
 * What a page says. `texts[i]` is the wire JSON of entry `first + i`, taken over unparsed. `oldestSeq` is the visible start of this
 * viewer: what the texts say of anything before it is left out.
 */
export interface PageContent {
  readonly epoch: number;
  readonly first: number;
  readonly texts: readonly string[];
  readonly head: number;
  readonly oldestSeq: number;
  readonly more: boolean;
}

/**
 * A text leaves in one write with its head up to here: Node keeps 16 KiB for it on its stack, of which it reckons three bytes a character
 * unless all of them are ASCII.
 */
const SMALL_BYTES = 4096;
const SMALL_ASCII_BYTES = 15_000;
const NO_MINE_BYTES = '{}'.length;

/** Encodes the page that everyone shares who sees the log from the same start. */
export function encodePage({ epoch, first, texts, head, oldestSeq, more }: PageContent): Page {
  const opening = `{"epoch":${epoch},`;
  const shown = oldestSeq > 1 ? texts.map((text) => masked(text, oldestSeq)) : texts;
  const entries = shown.join(',');
  const ending = `{},"head":${head},"oldestSeq":${oldestSeq},"more":${more}}`;
  const text = `${opening}"entries":[${entries}],"mine":${ending}`;
  const whole = Buffer.from(text);
  const isAscii = whole.length === text.length;
  const isText = whole.length <= (isAscii ? SMALL_ASCII_BYTES : SMALL_BYTES);
  return {
    whole,
    json: isText ? text : whole,
    bytes: whole.length + (isText ? text.length * (isAscii ? 1 : 2) : 0),
    deltaAt: opening.length,
    mineAt: whole.length - ending.length,
    count: texts.length,
    reacted: reactedOf(shown, first, entries),
  };
}

/** The page as one viewer gets it: never shared. */
export function withMine(page: Page, own: OwnReactions): Page {
  if (own.size === 0) return page;
  const mine = Buffer.from(JSON.stringify(Object.fromEntries(own)));
  const whole = Buffer.concat([page.whole.subarray(0, page.mineAt), mine, page.whole.subarray(page.mineAt + NO_MINE_BYTES)]);
  return { ...page, whole, json: whole, bytes: whole.length };
}

/** The page as the value of one log in `POST /v1/sync`. With `tooLong` the client starts a new range at `snapshotSeq`. */
export function deltaOf(page: Page, tooLong?: { readonly snapshotSeq: number; readonly oldestSeq: number }): Buffer[] {
  const body = page.whole.subarray(page.deltaAt);
  if (tooLong === undefined) return [OPEN, body];
  const mark = `,"tooLong":{"snapshotSeq":${tooLong.snapshotSeq},"oldestSeq":${tooLong.oldestSeq}}}`;
  return [OPEN, body.subarray(0, -1), Buffer.from(mark)];
}

const OPEN = Buffer.from('{');
