import type { NudgeError } from '@nudge/server-kit';
import { deltaOf, type Page } from './page.ts';

/** One conversation named in `POST /v1/sync`. */
export interface NamedLog {
  readonly conversationId: string;
  readonly after: number;
  readonly min: number | undefined;
}

/** What one named log is answered with. */
export type LogDelta =
  | { readonly kind: 'page'; readonly page: Page }
  | { readonly kind: 'tooLong'; readonly page: Page; readonly snapshotSeq: number; readonly oldestSeq: number }
  | { readonly kind: 'error'; readonly error: NudgeError };

/** The delta as JSON text. */
export function encodeDelta(delta: LogDelta): readonly Buffer[] {
  if (delta.kind === 'page') return deltaOf(delta.page);
  if (delta.kind === 'tooLong') return deltaOf(delta.page, { snapshotSeq: delta.snapshotSeq, oldestSeq: delta.oldestSeq });
  const { code, retryable, retryAfterMs } = delta.error;
  return [
    Buffer.from(
      JSON.stringify({ error: { code, retryable, ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }) } }),
    ),
  ];
}
