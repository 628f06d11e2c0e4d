import { foreignCursor } from './opaque-cursor.ts';

/**
 * Position in the list of heads: newest activity first, ties by id. `lastEntryAt` is RFC 3339 in UTC with the
 * three decimals that are stored, so no two times of different order read the same. */
export interface HeadsPosition {
  readonly lastEntryAt: string;
  readonly id: string;
}

/** Thirteen digits of milliseconds reach the year 2286: every number of this form is a time that PostgreSQL takes. */
const PLAIN = /^1\.(0|[1-9]\d{0,12})\.([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$/;

/** The opaque text of a position. */
export function encodeHeadsCursor(position: HeadsPosition): string {
  return Buffer.from(`1.${Date.parse(position.lastEntryAt)}.${position.id}`).toString('base64url');
}

/**
 * Reads a cursor back. It carries no right: it only says where to go on in the caller's own list, so it is checked for form and
 * not signed.
 *
 * @throws NudgeError `invalid_request` when the text did not come from {@link encodeHeadsCursor}
 */
export function decodeHeadsCursor(cursor: string): HeadsPosition {
  const bytes = Buffer.from(cursor, 'base64url');
  const parts = PLAIN.exec(bytes.toString('latin1'));
  const id = parts?.[2];
  if (id === undefined || bytes.toString('base64url') !== cursor) {
    throw foreignCursor();
  }
  return { lastEntryAt: new Date(Number(parts?.[1])).toISOString(), id };
}
