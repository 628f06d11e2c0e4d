import { isContentType } from '@nudge/types';
import type { AppendResult, MemberPair } from '../../store/conversation-store.ts';
import type { Effects } from '../outbox/effects.ts';
import type { HeadChange } from '../publisher/publisher.ts';
import type { AppendWork } from './appender.ts';

/** What follows from a committed call; `undefined` when it appended nothing. */
export function newsOf(inputs: readonly AppendWork[], results: readonly AppendResult[]): Effects | undefined {
  const heads = new Map<string, HeadChange>();
  const members: MemberPair[] = [];
  results.forEach((result, index) => {
    const input = inputs[index];
    if (input === undefined || result.status !== 'ok' || result.seq === null || result.memberVersion === null) return;
    const { appId, conversationId } = input;
    const known = heads.get(conversationId);
    heads.set(conversationId, {
      appId,
      conversationId,
      seq: Math.max(known?.seq ?? 0, result.seq),
      memberVersion: Math.max(known?.memberVersion ?? 0, result.memberVersion),
      copiesStale: known?.copiesStale === true || makesCopiesStale(input),
      ...mentioned(known, input),
      ...deltaOf(input),
    });
    for (const userId of result.touched) members.push({ appId, conversationId, userId });
  });
  if (heads.size === 0) return undefined;
  return { heads: [...heads.values()], ...(members.length === 0 ? {} : { members }) };
}

/** Whether what others hold of the conversation is to be dropped: who may do what in it, or the content of an entry for ever. */
function makesCopiesStale({ type, body }: AppendWork): boolean {
  if (type.startsWith('member.') || type === 'message.redacted') return true;
  return type === 'conversation.updated' && body !== null && Object.hasOwn(JSON.parse(body) as object, 'frozen');
}

function mentioned(known: HeadChange | undefined, { mentions = [] }: AppendWork): Pick<HeadChange, 'mentioned'> {
  const before = known?.mentioned ?? [];
  if (mentions.length === 0) return before.length === 0 ? {} : { mentioned: before };
  return { mentioned: before.length === 0 ? mentions : [...new Set([...before, ...mentions])] };
}

/** What an operation does to the list of members; it is the only input of its conversation in its call. */
function deltaOf({ type, memberId }: AppendWork): Pick<HeadChange, 'delta'> {
  if (isContentType(type)) return {};
  if (type === 'member.put' && memberId !== undefined) return { delta: { joined: memberId } };
  if ((type === 'member.remove' || type === 'member.ban') && memberId !== undefined) return { delta: { left: memberId } };
  return { delta: {} };
}
