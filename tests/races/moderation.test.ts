import type { ErrorCode } from '@nudge/types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sent } from '../protocol/support/http.ts';
import { runTogether } from '../support/barrier.ts';
import { waitFor } from '../support/wait-for.ts';
import { through, values } from './support/acts.ts';
import { type Arena, createArena, type Person, soundLog, soundMembers } from './support/arena.ts';

let arena: Arena;
beforeAll(async () => {
  arena = await createArena();
});
afterAll(async () => {
  await arena?.[Symbol.asyncDispose]();
});

const acts = [0, 1].map((index) => through(() => arena, index)) as [ReturnType<typeof through>, ReturnType<typeof through>];
const on = (index: number) => acts[index % 2 === 0 ? 0 : 1];

interface Moderation {
  readonly name: string;
  /** Type of the conversation in which it happens. */
  readonly type: 'group' | 'channel' | 'direct';
  /** What the moderated one is told from then on. */
  readonly code: ErrorCode;
  /** Does it; answers the seq of its entry. */
  readonly moderate: (by: Person, id: string, whom: Person) => Promise<number>;
}

const seqOf = ({ seq }: { readonly seq: number | null }): number => {
  if (seq === null) throw new Error('it changed nothing');
  return seq;
};

const moderations: readonly Moderation[] = [
  { name: 'a mute', type: 'group', code: 'muted', moderate: async (by, id, whom) => seqOf((await on(0).mute(by, id, whom)).ok()) },
  { name: 'a ban', type: 'group', code: 'not_found', moderate: async (by, id, whom) => seqOf((await on(0).ban(by, id, whom)).ok()) },
  {
    name: 'freezing',
    type: 'group',
    code: 'frozen',
    moderate: async (by, id) => seqOf((await on(0).update(by, id, { frozen: true })).ok()),
  },
  {
    name: 'a change of role',
    type: 'channel',
    code: 'forbidden',
    moderate: async (by, id, whom) => seqOf((await on(0).put(by, id, whom, 'member')).ok()),
  },
];

/** What the moderated one does again and again: each answers the seq of its entry, or `undefined` when it changed nothing. */
type Lane = (
  by: Person,
  id: string,
  target: number,
  n: number,
) => Promise<{ readonly status: number; refused(code: ErrorCode): unknown; readonly seq?: number | null }>;

const lanes: readonly { readonly name: string; readonly inChannels: boolean; readonly act: Lane }[] = [
  ...[0, 1].map((index) => ({
    name: `sends ${index}`,
    inChannels: true,
    act: (async (by, id, _, n) => {
      const reply = await on(index).send(by, id, `${index}-${n}`, { clientMsgId: `${index}-${n}` });
      return { status: reply.status, refused: reply.refused, ...(reply.status < 300 ? { seq: sent(reply).seq } : {}) };
    }) satisfies Lane,
  })),
  {
    name: 'edits',
    inChannels: true,
    act: async (by, id, target, n) => {
      const reply = await on(1).edit(by, id, target, `edited ${n}`);
      return { status: reply.status, refused: reply.refused, ...(reply.status < 300 ? { seq: reply.ok().seq } : {}) };
    },
  },
  {
    name: 'reactions',
    inChannels: false,
    act: async (by, id, target, n) => {
      const reply = n % 2 === 0 ? await on(0).react(by, id, target, '👍') : await on(0).unreact(by, id, target, '👍');
      return { status: reply.status, refused: reply.refused, ...(reply.status < 300 ? { seq: reply.ok().seq } : {}) };
    },
  },
];

describe('what a member writes while it is moderated, over two instances', () => {
  it.each(moderations)('$name: all that was acknowledged lies before it, and nothing after', async ({ type, code, moderate }) => {
    const [ann, bob] = await arena.people('ann', 'bob');
    const body = { type, members: [bob.id] };
    const id = (await arena.http(0).call('createConversation', { token: ann.token, body })).ok(201).conversation.id;
    if (type === 'channel') (await on(0).put(ann, id, bob, 'moderator')).ok();
    const target = await on(0).said(bob, id, 'target');
    const acked: number[] = [];
    const perLane = new Map<string, number>();
    const running = lanes.filter(({ inChannels }) => inChannels || type !== 'channel');
    const tasks = running.map(({ name, act }) => async () => {
      for (let n = 0; ; n += 1) {
        const outcome = await act(bob, id, target, n);
        if (outcome.status >= 400) {
          outcome.refused(code);
          return;
        }
        if (outcome.seq !== null && outcome.seq !== undefined) acked.push(outcome.seq);
        perLane.set(name, (perLane.get(name) ?? 0) + 1);
      }
    });
    let at = 0;
    const moderator = async () => {
      await waitFor('every lane to be under way', () => running.every(({ name }) => (perLane.get(name) ?? 0) > 4), { intervalMs: 1 });
      at = await moderate(ann, id, bob);
    };
    values(await runTogether([...tasks, moderator]));
    const log = await soundLog(arena.first, id);
    const own = log.filter(({ senderId }) => senderId === bob.id).map(({ seq }) => seq);
    expect(at).toBeGreaterThan(0);
    expect(Math.max(...own), 'nothing of it stands after').toBeLessThan(at);
    expect(
      [target, ...acked].toSorted((a, b) => a - b),
      'what was acknowledged is what is there',
    ).toEqual(own);
    await soundMembers(arena.first, id);
  });

  it('a block: from its answer on nothing of the blocked one is appended, and what was acknowledged is there', async () => {
    const [ann, bob] = await arena.people('ann', 'bob');
    const body = { type: 'direct', members: [bob.id] };
    const id = (await arena.http(0).call('createConversation', { token: ann.token, body })).ok(201).conversation.id;
    const target = await on(0).said(bob, id, 'target');
    const acked: number[] = [];
    let started = 0;
    const tasks = lanes.map(({ act }) => async () => {
      for (let n = 0; ; n += 1) {
        const outcome = await act(bob, id, target, n);
        if (outcome.status >= 400) return void outcome.refused('blocked');
        if (outcome.seq !== null && outcome.seq !== undefined) acked.push(outcome.seq);
        started += 1;
      }
    });
    let head = 0;
    const blocker = async () => {
      await waitFor('acts in flight', () => started > 16, { intervalMs: 1 });
      (await arena.http(1).call('blockUser', { token: ann.token, params: { userId: bob.id } })).ok();
      // What the other instance had already begun to judge may still be on its way; a send of the blocker stands behind it.
      head = await on(0).said(ann, id, 'after the block');
    };
    values(await runTogether([...tasks, blocker]));
    const log = await soundLog(arena.first, id);
    const own = log.filter(({ senderId }) => senderId === bob.id).map(({ seq }) => seq);
    expect(Math.max(...own)).toBeLessThan(head);
    expect([target, ...acked].toSorted((a, b) => a - b)).toEqual(own);
  });
});
