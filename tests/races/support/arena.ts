import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { foldMembers, type TrueEntry, trueLog, trueMembers } from '../../model/support/truth.ts';
import { type HttpClient, httpClient } from '../../protocol/support/http.ts';
import { type System, startSystem } from '../../support/system.ts';
import { wideLimits } from './limits.ts';

export interface Person {
  readonly id: string;
  readonly token: string;
}

/** Two whole systems on one database: what one does not know of the other, only PostgreSQL can settle. */
export interface Arena extends AsyncDisposable {
  readonly first: System;
  readonly second: System;
  readonly https: readonly [HttpClient, HttpClient];
  /** The system at `index`, counted round. */
  http(index: number): HttpClient;
  /** Users that exist, with names nobody else has. */
  people<const Names extends readonly string[]>(...names: Names): Promise<{ readonly [Index in keyof Names]: Person }>;
  group(owner: Person, members: readonly Person[]): Promise<string>;
}

export async function createArena(): Promise<Arena> {
  await using stack = new AsyncDisposableStack();
  const first = stack.use(await startSystem({ env: wideLimits }));
  const { database, app, otherApp } = first;
  const second = stack.use(await startSystem({ env: wideLimits, database, apps: [app, otherApp] }));
  const https = [httpClient(first.url), httpClient(second.url)] as const;
  const opened = stack.move();
  return {
    first,
    second,
    https,
    http: (index) => https[index % 2 === 0 ? 0 : 1],
    async people(...names) {
      const ids = names.map((name) => `${name}-${randomBytes(4).toString('hex')}`);
      (await https[0].call('upsertUsers', { token: app.serverKey, body: { users: ids.map((id) => ({ id })) } })).ok(200);
      return ids.map((id) => ({ id, token: app.token(id) })) as unknown as { readonly [Index in keyof typeof names]: Person };
    },
    async group(owner, members) {
      const body = { type: 'group', members: members.map(({ id }) => id) };
      return (await https[0].call('createConversation', { token: owner.token, body })).ok(201).conversation.id;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** A send; the answer holds to the contract, whatever it is. */
export function send(http: HttpClient, sender: Person, conversationId: string, clientMsgId: string, text = clientMsgId) {
  return http.call('sendMessage', { token: sender.token, params: { conversationId }, body: { clientMsgId, body: { text } } });
}

/** The log past all apps; its seqs are 1..head without a hole, and no send is there twice. */
export async function soundLog(system: Pick<System, 'database'>, conversationId: string): Promise<TrueEntry[]> {
  const log = await trueLog(system.database, conversationId);
  expect(
    log.map(({ seq }) => seq),
    'gapless from 1',
  ).toEqual(log.map((_, index) => index + 1));
  const sends = log.filter(({ clientMsgId }) => clientMsgId !== null).map(({ senderId, clientMsgId }) => `${senderId}/${clientMsgId}`);
  expect(new Set(sends).size, 'each send once').toBe(sends.length);
  return log;
}

/** Members in the table, in the log and in the counter agree; answers roles by user id. */
export async function soundMembers(system: Pick<System, 'database'>, conversationId: string): Promise<Map<string, string>> {
  const log = await soundLog(system, conversationId);
  const present = (await trueMembers(system.database, conversationId)).filter(({ leftSeq }) => leftSeq === null);
  const roles = foldMembers(log);
  expect([...roles.keys()].sort(), 'the log says who is a member').toEqual(present.map(({ userId }) => userId).sort());
  const [row] = await system.database.query<{ memberCount: number }>(
    'select member_count as "memberCount" from conversation where id = $1',
    [conversationId],
  );
  expect(row?.memberCount, 'member_count').toBe(present.length);
  return roles;
}
