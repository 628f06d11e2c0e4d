import { z } from 'zod';

/**
 * A log and how far it goes: what gateways push. `c/<conversationId>` a conversation, `u/<userId>` a user's feed, `a/<appId>` the
 * app's broadcasts. A key carries no truth: the newest of a log supersedes all older ones, twice is the same as once.
 */
export type LogKey = readonly [log: LogName, seq: number];

/** Name of a log. */
export type LogName = `c/${string}` | `u/${string}` | `a/${string}`;

/** Name of a conversation's log. */
export const conversationLog = (conversationId: string): LogName => `c/${conversationId}`;

/** Name of a user's feed. */
export const feedLog = (userId: string): LogName => `u/${userId}`;

/** Name of an app's broadcast log. */
export const appLog = (appId: string): LogName => `a/${appId}`;

/** Splits a log's name; `undefined` for a kind this version does not know, which clients ignore. */
export function parseLog(log: string): { kind: 'conversation' | 'feed' | 'app'; id: string } | undefined {
  if (log[1] !== '/' || log.length < 3) return undefined;
  const id = log.slice(2);
  if (log[0] === 'c') return { kind: 'conversation', id };
  if (log[0] === 'u') return { kind: 'feed', id };
  if (log[0] === 'a') return { kind: 'app', id };
  return undefined;
}

export const logNameSchema = z.string().regex(/^[cua]\/.{1,64}$/);

export const logKeySchema = z
  .tuple([logNameSchema, z.int().min(0)])
  .meta({ id: 'LogKey', example: ['c/019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e', 42] });
