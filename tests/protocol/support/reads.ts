import type { Success } from './http.ts';
import type { Person, World } from './world.ts';

/** An entry as a page has it. */
export type PageEntry = Success<'listEntries'>['entries'][number];

/** One entry as the viewer's newest page has it, `undefined` when it is not there. */
export async function entryOf(world: World, viewer: Person, id: string, seq: number): Promise<PageEntry | undefined> {
  return (await world.entries(viewer, id, { after: seq - 1, limit: 1 })).entries.find((entry) => entry.seq === seq);
}

/** What every read path that a member has answers about a conversation, and the integrator's versions of the seqs, as one text. */
export async function everyRead(world: World, viewer: Person, id: string, about: readonly number[]): Promise<string> {
  const { http, system } = world;
  const ask = { token: viewer.token, params: { conversationId: id } };
  const head = (await world.entries(viewer, id)).head;
  const answers: { readonly text: string }[] = [
    await http.call('listEntries', ask),
    await http.call('listEntries', { ...ask, query: { after: 0, limit: 200 } }),
    await http.call('listEntries', { ...ask, query: { before: head + 1, limit: 200 } }),
    await http.call('listEntries', { ...ask, query: { after: 0, limit: 200, min: head } }),
    await http.call('sync', { token: viewer.token, body: { conversations: { [id]: { after: 0 } }, feed: { after: 0 }, heads: {} } }),
    await http.call('listHeads', { token: viewer.token }),
    await http.call('getConversation', ask),
    await http.call('listMembers', ask),
    await http.call('listPins', ask),
    await http.call('listReceipts', ask),
  ];
  for (const seq of about) {
    const entry = { conversationId: id, seq: String(seq) };
    answers.push(await http.call('listReceipts', { ...ask, query: { seq } }));
    answers.push(await http.call('listReactions', { token: viewer.token, params: entry }));
    answers.push(await http.call('listVersions', { token: system.app.serverKey, params: entry }));
  }
  return answers.map(({ text }) => text).join('\n');
}
