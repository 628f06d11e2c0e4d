import { type Issue, NudgeError } from '@nudge/server-kit';
import type { LimitName } from '@nudge/types';
import type { AppendResult } from '../../store/conversation-store.ts';

/** Which bound an operation can run into. */
const bounds: Readonly<Record<string, LimitName>> = {
  'reaction.added': 'reactionsPerMessage',
  'message.pinned': 'pinsPerConversation',
};

/**
 * Why an input was not appended, as the caller is told. A conversation that does not exist, one of another app, one that the caller is not
 * a member of and one it is banned from are the same to it, and so are entries that do not exist and those it may not see. `type`: of the
 * input.
 */
export function refusal(result: Pick<AppendResult, 'status' | 'retryInMs'>, type: string): NudgeError {
  switch (result.status) {
    case 'not_found':
    case 'not_member':
    case 'banned':
    case 'target_missing':
      return new NudgeError('not_found');
    case 'conflict':
      return new NudgeError('client_msg_id_reused', { detail: 'Use a new clientMsgId for another message' });
    case 'forbidden':
    case 'frozen':
    case 'muted':
    case 'blocked':
    case 'last_owner':
    case 'state_changed':
      return new NudgeError(result.status);
    case 'target_redacted':
      return new NudgeError('message_redacted');
    case 'target_invalid':
      return invalid('invalid_request', 'params.seq', 'names an entry that is no message: nothing can be done to it');
    case 'reply_missing':
      return invalid('invalid_request', 'body.replyTo', 'names no message that you may see');
    case 'mention_stranger':
      return invalid('user_unknown', 'body.mentions', 'names somebody who is no member of the conversation');
    case 'limit_reached': {
      const bound = bounds[type];
      return new NudgeError('limit_reached', { detail: bound === undefined ? undefined : `As many as there may be (${bound})` });
    }
    case 'slow_mode':
      return new NudgeError('slow_mode', {
        retryAfterMs: Math.max(1, result.retryInMs ?? 1_000),
      });
    default:
      return new NudgeError('internal', { detail: `the append answered ${result.status}` });
  }
}

function invalid(code: 'invalid_request' | 'user_unknown', path: string, message: string): NudgeError {
  const issues: readonly Issue[] = [{ path, message }];
  return new NudgeError(code, { detail: `${path} ${message}`, issues });
}
