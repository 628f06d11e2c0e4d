/** What a reader asks for: up to `limit` entries above `seq` (`after`), or the last `limit` below it (`before`). Bounds are exclusive. */
export interface Window {
  readonly kind: 'after' | 'before';
  readonly seq: number;
  readonly limit: number;
}

/** Inclusive bounds of a page; empty when `from > to`. `more`: there is more of the visible log in the direction asked for. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly more: boolean;
}

/** As `seq` of a `before` window: the newest page, wherever the head is. */
export const FROM_THE_END = Number.MAX_SAFE_INTEGER;

/** The newest page of a log. */
export function newestWindow(limit: number): Window {
  return { kind: 'before', seq: FROM_THE_END, limit };
}

/** The seq that a log must have reached for the window to make sense: a cursor above the head names a log that does not exist. */
export function cursorOf(window: Window): number {
  if (window.kind === 'after') return window.seq;
  return window.seq === FROM_THE_END ? 0 : Math.max(0, window.seq - 1);
}

/** The page that a window selects from a log whose visible part is `[start, head]`. */
export function rangeOf(window: Window, start: number, head: number): Range {
  if (window.kind === 'after') {
    const from = Math.max(window.seq + 1, start);
    const to = Math.min(head, from + window.limit - 1);
    return { from, to, more: to < head };
  }
  const to = Math.min(window.seq - 1, head);
  const from = Math.max(start, to - window.limit + 1);
  return { from, to, more: from > start && to >= start };
}
