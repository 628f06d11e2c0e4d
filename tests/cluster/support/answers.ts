import { naiveUnread, type TrueEntry, trueMembers } from '../../model/support/truth.ts';
import { type HttpClient, httpClient, type Request } from '../../protocol/support/http.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Group } from './fleet.ts';
import type { Acked } from './load.ts';
import type { Stack } from './stack.ts';

export interface Asked {
  readonly stack: Pick<Stack, 'url' | 'app' | 'otherApp' | 'database' | 'of'>;
  readonly group: Group;
  readonly log: readonly TrueEntry[];
  /** Sends to this group that were acknowledged. */
  readonly acked: readonly Acked[];
}

/** Small, so that a log takes several. */
const pageSize = 40;

/** What the processes answer now about a group in which nothing happens any more, held against its log. Returns the breaches. */
export async function breachesOfAnswers(asked: Asked): Promise<string[]> {
  return [
    ...(await breachesOfPulls(asked)),
    ...(await breachesOfHeads(asked)),
    ...(await breachesOfRepeats(asked)),
    ...(await breachesOfStrangers(asked)),
  ];
}

/** From any cursor, in both directions, the pages of every pull side are the log: no repeat, no hole, nothing else. */
async function breachesOfPulls({ stack, group, log }: Asked): Promise<string[]> {
  const found: string[] = [];
  const token = stack.app.token(group.users[0] ?? '');
  const truth = log.map(({ seq, clientMsgId, body }) => `${seq} ${clientMsgId} ${String(body?.text)}`);
  for (const { name, url } of stack.of('sync')) {
    const http = httpClient(url);
    const page = async (query: Readonly<Record<string, number>>) =>
      (await answered(http, 'listEntries', { token, params: { conversationId: group.id }, query })).ok(200);
    for (const cursor of new Set([0, 1, Math.floor(log.length / 2), log.length - 1, log.length])) {
      const pulled: string[] = [];
      for (let after = cursor, more = true; more; ) {
        const { entries, head, ...rest } = await page({ after, limit: pageSize });
        pulled.push(...entries.map(({ seq, clientMsgId, body }) => `${seq} ${clientMsgId ?? null} ${String(body?.text)}`));
        if (head !== log.length) found.push(`${name} answers head ${head} of ${log.length}`);
        after = entries.at(-1)?.seq ?? after;
        more = rest.more && entries.length > 0;
      }
      if (pulled.join('\n') !== truth.slice(cursor).join('\n'))
        found.push(`${name} answers ${pulled.length} entries after ${cursor} of ${log.length}`);
    }
    const backwards: number[] = [];
    for (let before = log.length + 1; before > 1; ) {
      const { entries } = await page({ before, limit: pageSize });
      backwards.unshift(...entries.map(({ seq }) => seq));
      if (entries.length === 0) break;
      before = entries[0]?.seq ?? 1;
    }
    if (backwards.join() !== log.map(({ seq }) => seq).join())
      found.push(`${name} answers ${backwards.length} entries backwards of ${log.length}`);
  }
  return found;
}

/** The list of conversations says how far the log goes and how much of it waits to be read. */
async function breachesOfHeads({ stack, group, log }: Asked): Promise<string[]> {
  const found: string[] = [];
  const members = await trueMembers(stack.database, group.id);
  for (const { name, url } of stack.of('sync')) {
    for (const member of members) {
      const { items } = (await answered(httpClient(url), 'listHeads', { token: stack.app.token(member.userId) })).ok(200);
      const head = items.find(({ id }) => id === group.id);
      const wanted = `${log.length} read ${member.readSeq} unread ${naiveUnread(log, member)}`;
      const said = `${head?.lastSeq} read ${head?.readSeq} unread ${head?.unread}`;
      if (said !== wanted) found.push(`${name} answers ${member.userId} a head of ${said}, not ${wanted}`);
    }
  }
  return found;
}

/** The same send again is the same entry; another one under its name is refused. */
async function breachesOfRepeats({ stack, group, acked }: Asked): Promise<string[]> {
  const found: string[] = [];
  for (const { name, url } of stack.of('api')) {
    for (const { userId, clientMsgId, text, seq } of [...acked.slice(0, 2), ...acked.slice(-3)]) {
      const send = (other: string) =>
        answered(httpClient(url), 'sendMessage', {
          token: stack.app.token(userId),
          params: { conversationId: group.id },
          body: { clientMsgId, body: { text: other } },
        });
      const again = await send(text);
      if (again.status !== 200 || again.ok(200).seq !== seq)
        found.push(`${name} answers ${clientMsgId} of ${seq} again with ${again.status} ${again.text}`);
      const other = await send('another text');
      if (other.status !== 409) found.push(`${name} answers another ${clientMsgId} with ${other.status} ${other.text}`);
    }
  }
  return found;
}

/** To a user who is no member, and to one of another app with a member's id, the conversation is not there. */
async function breachesOfStrangers({ stack, group }: Asked): Promise<string[]> {
  const found: string[] = [];
  const tokens = [stack.app.token('outsider'), stack.otherApp.token(group.users[0] ?? '')];
  for (const token of tokens) {
    const request = { token, params: { conversationId: group.id } };
    for (const { name, role, url } of [...stack.of('sync'), ...stack.of('api')]) {
      const route = role === 'sync' ? 'listEntries' : 'getConversation';
      const reply = await answered(httpClient(url), route, request);
      if (reply.status !== 404) found.push(`${name} answers a stranger ${reply.status}`);
      if (role === 'sync' && (await answered(httpClient(url), 'listHeads', { token })).text.includes(group.id))
        found.push(`${name} lists a stranger the group`);
    }
  }
  return found;
}

/** Asks again while the answer is to come again. */
async function answered<Name extends 'listEntries' | 'listHeads' | 'sendMessage' | 'getConversation'>(
  http: HttpClient,
  name: Name,
  request: Request,
) {
  return waitFor(
    `an answer to ${name}`,
    async () => {
      const reply = await http.call(name, request);
      return reply.status === 503 || reply.status === 429 ? undefined : reply;
    },
    { timeoutMs: 30_000, intervalMs: 100 },
  );
}
