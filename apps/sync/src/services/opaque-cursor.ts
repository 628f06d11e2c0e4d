import { NudgeError } from '@nudge/server-kit';

/** What a list answers to a cursor that it did not hand out. */
export function foreignCursor(): NudgeError {
  return new NudgeError('invalid_request', {
    detail: 'cursor is not one that this list handed out',
    issues: [{ path: 'cursor', message: 'take it unchanged from nextCursor' }],
  });
}
