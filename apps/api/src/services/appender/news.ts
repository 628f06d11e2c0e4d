import { isContentType } from '@nudge/types';
import type { AppendResult, MemberPair } from '../../store/conversation-store.ts';
import type { Effects } from '../outbox/effects.ts';
import type { MemberDelta } from '../publisher/member-cache.ts';
import type { HeadChange } from '../publisher/publisher.ts';
import type { AppendWork } from './appender.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What follows from a committed call; `undefined` when it appended nothing. */
export function newsOf(inputs: readonly AppendWork[], results: readonly AppendResult[]): Effects | undefined {
  const heads = new Map<string, Mutable<HeadChange>>();
  const members: MemberPair[] = [];
  for (const [index, { status, seq, memberVersion, touched }] of results.entries()) {
    const input = inputs[index];
    if (input === undefined || status !== 'ok' || seq === null || memberVersion === null) continue;
    const { appId, conversationId, type, mentions } = input;
    let head = heads.get(conversationId);
    if (head === undefined) {
      head = { appId, conversationId, seq, memberVersion, copiesStale: false };
      heads.set(conversationId, head);
    } else {
      head.seq = Math.max(head.seq, seq);
      head.memberVersion = Math.max(head.memberVersion, memberVersion);
    }
    if (mentions !== undefined && mentions.length > 0) head.mentioned = [...new Set([...(head.mentioned ?? []), ...mentions])];
    if (isContentType(type)) continue;
    // An operation is the only input of its conversation in its call.
    head.copiesStale = makesCopiesStale(input);
    head.delta = deltaOf(input);
    for (const userId of touched) members.push({ appId, conversationId, userId });
  }
  if (heads.size === 0) return undefined;
  return { heads: [...heads.values()], ...(members.length === 0 ? {} : { members }) };
}

/** Whether what others hold of the conversation is to be dropped: who may do what in it, or the content of an entry for ever. */
function makesCopiesStale({ type, body }: AppendWork): boolean {
  if (type.startsWith('member.') || type === 'message.redacted') return true;
  return type === 'conversation.updated' && body !== null && Object.hasOwn(JSON.parse(body) as object, 'frozen');
}

/** What an operation does to the list of members. */
function deltaOf({ type, memberId }: AppendWork): MemberDelta {
  if (memberId === undefined) return {};
  if (type === 'member.put') return { joined: memberId };
  return type === 'member.remove' || type === 'member.ban' ? { left: memberId } : {};
}
