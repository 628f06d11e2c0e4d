import { DataError, LockTimeout } from '@nudge/db';

/** Whether a failed call wrote nothing because of one input's data, because of a lock, or failed otherwise. */
export function callFailure(error: unknown): 'data' | 'lock' | 'other' {
  if (error instanceof DataError) return 'data';
  if (error instanceof LockTimeout) return 'lock';
  return 'other';
}
