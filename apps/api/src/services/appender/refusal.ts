import { NudgeError } from '@nudge/server-kit';
import type { AppendResult } from '../../store/conversation-store.ts';

/**
 * Why an input was not appended, as the caller is told. A conversation that does not exist, one of another app, one that the caller is not
 * a member of and one it is banned from are the same to it. `now` in ms since 1970.
 */
export function refusal(result: Pick<AppendResult, 'status' | 'retryAt'>, now: number): NudgeError {
  switch (result.status) {
    case 'not_found':
    case 'not_member':
    case 'banned':
      return new NudgeError('not_found');
    case 'conflict':
      return new NudgeError('client_msg_id_reused', { detail: 'Use a new clientMsgId for another message' });
    case 'forbidden':
    case 'frozen':
    case 'muted':
    case 'last_owner':
      return new NudgeError(result.status);
    case 'slow_mode':
      return new NudgeError('slow_mode', {
        retryAfterMs: result.retryAt === null ? 1_000 : Math.max(1, Date.parse(result.retryAt) - now),
      });
    default:
      return new NudgeError('internal', { detail: `the append answered ${result.status}` });
  }
}
