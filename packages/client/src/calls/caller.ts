import type { Routes } from '@nudge/types';
import type { HttpRequest } from '../http.ts';

/** What a route answers with this status. */
export type Answer<
  Name extends keyof Routes,
  Status extends keyof Routes[Name]['answers'] = 200 & keyof Routes[Name]['answers'],
> = Routes[Name]['answers'][Status] extends { readonly _zod: { readonly output: infer Output } } ? Output : never;

/** The fields a route takes in its body. */
export type Fields<Name extends keyof Routes> = Routes[Name] extends { readonly body: { readonly _zod: { readonly input: infer Input } } }
  ? Input
  : never;

/** What a change comes to: the seq of the entry it appended, `null` when there was nothing to change. */
export type ChangeAnswer = Answer<'editMessage'>;

/** A page of a list; ask again with `cursor: nextCursor` until it is absent. */
export interface ListOptions {
  readonly cursor?: string;
  readonly limit?: number;
}

/**
 * The routes that a client calls for its user. Each is repeated until it is answered or refused for good, which is safe because all of
 * them are idempotent; each rejects with `NudgeError`. One subject per class, chained; `NudgeClient` is the last of them.
 */
export abstract class Caller {
  /** One call; `path` without the base address. Resolves with the answer's JSON. */
  protected abstract call(method: HttpRequest['method'], path: `/v1/${string}`, body?: unknown): Promise<unknown>;

  /** A conversation's log has reached a seq, as an answer says. */
  protected abstract heard(conversationId: string, seq: number): void;

  /** A change of a conversation: its entry is pulled as soon as the answer names it. */
  protected async change(method: HttpRequest['method'], conversationId: string, path: string, body?: unknown): Promise<ChangeAnswer> {
    const answer = (await this.call(method, `/v1/conversations/${encodeURIComponent(conversationId)}${path}`, body)) as ChangeAnswer;
    if (typeof answer?.seq === 'number') this.heard(conversationId, answer.seq);
    return answer;
  }
}

/** A query string of what is given; empty when nothing is. */
export function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return given.length === 0 ? '' : `?${given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}`;
}
