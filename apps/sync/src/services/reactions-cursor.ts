import { canonicalEmoji } from '@nudge/types';
import type { ReactionOfUser } from '../store/detail-store.ts';
import { foreignCursor } from './opaque-cursor.ts';

/** Milliseconds in base 36, the emoji in base64url, the user. Nine digits of base 36 end before the year 10000. */
const PLAIN = /^1\.([0-9a-z]{1,9})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_.:@-]{1,64})$/;

/** The opaque text of a place in a list of reactions. */
export function encodeReactionsCursor({ createdAt, emoji, userId }: ReactionOfUser): string {
  return `1.${Date.parse(createdAt).toString(36)}.${Buffer.from(emoji).toString('base64url')}.${userId}`;
}

/**
 * Reads a cursor back. It carries no right, so it is checked for form and not signed.
 *
 * @throws NudgeError `invalid_request` when the text did not come from {@link encodeReactionsCursor}
 */
export function decodeReactionsCursor(cursor: string): ReactionOfUser {
  const [, time, encoded, userId] = PLAIN.exec(cursor) ?? [];
  if (time === undefined || encoded === undefined || userId === undefined) throw foreignCursor();
  const emoji = Buffer.from(encoded, 'base64url').toString();
  const place = { createdAt: new Date(Number.parseInt(time, 36)).toISOString(), emoji, userId };
  if (canonicalEmoji(emoji) !== emoji || encodeReactionsCursor(place) !== cursor) throw foreignCursor();
  return place;
}
