import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trueMembers } from '../model/support/truth.ts';
import { runTogether } from '../support/barrier.ts';
import { type Arena, createArena, send, soundLog } from './support/arena.ts';

let arena: Arena;
beforeAll(async () => {
  arena = await createArena();
});
afterAll(async () => {
  await arena?.[Symbol.asyncDispose]();
});

function rethrow(results: readonly PromiseSettledResult<unknown>[]): void {
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

describe('read positions set at once, over two instances', () => {
  it('never move back, whoever looks, and end at the highest', async () => {
    const [ann, bob] = await arena.people('ann', 'bob');
    const id = await arena.group(ann, [bob]);
    for (let n = 0; n < 60; n += 1) (await send(arena.http(n), ann, id, `m${n}`)).ok(201);
    const head = 61;
    // Every seq once, in an order that jumps up and down: 37 and 61 share no divisor.
    const order = Array.from({ length: head }, (_, n) => ((n * 37) % head) + 1);
    let marking = true;
    const mark = (lane: number) => async () => {
      for (let n = lane; n < order.length; n += 4) {
        const seq = order[n] ?? 0;
        const reply = await arena.http(n).call('markRead', { token: bob.token, params: { conversationId: id }, body: { seq } });
        expect(reply.ok(200).readSeq).toBeGreaterThanOrEqual(seq);
      }
    };
    const marks = Promise.all([0, 1, 2, 3].map((lane) => mark(lane)())).finally(() => {
      marking = false;
    });
    const looks = { truth: 0, list: 0, feed: 0 };
    const watch = async (name: keyof typeof looks, look: () => Promise<number>) => {
      let last = 0;
      while (marking) {
        const seen = await look();
        expect(seen, name).toBeGreaterThanOrEqual(last);
        last = seen;
        looks[name] += 1;
      }
    };
    const truth = async () => (await trueMembers(arena.first.database, id)).find(({ userId }) => userId === bob.id)?.readSeq ?? 0;
    const list = async () => {
      const { items } = (await arena.http(looks.list).call('listHeads', { token: bob.token })).ok(200);
      return items.find((item) => item.id === id)?.readSeq ?? 0;
    };
    rethrow(await runTogether<unknown>([() => marks, () => watch('truth', truth), () => watch('list', list)]));
    expect(looks.truth).toBeGreaterThan(0);
    expect(looks.list).toBeGreaterThan(0);
    expect(await truth()).toBe(head);
    const { items } = (await arena.http(1).call('listHeads', { token: bob.token })).ok(200);
    expect(items.find((item) => item.id === id)).toMatchObject({ readSeq: head, unread: 0 });
  });
});

describe('a reader that polls while two instances append', () => {
  it('sees every seq in order: never n + 1 before n, past the apps and through both', async () => {
    const people = await arena.people('ann', 'bob', 'cem', 'dee');
    const [ann, bob, ...others] = people;
    const id = await arena.group(ann, [bob, ...others]);
    const each = 40;
    const head = 1 + people.length * each;
    const senders = people.map((sender, n) => async () => {
      for (let k = 0; k < each; k += 1) (await send(arena.http(n), sender, id, `m${k}`)).ok(201);
    });
    let polls = 0;
    /** Reads on from its cursor until the end; every page must continue it. */
    const follow = async (page: (after: number) => Promise<number[]>) => {
      let cursor = 0;
      while (cursor < head) {
        for (const seq of await page(cursor)) {
          expect(seq).toBe(cursor + 1);
          cursor = seq;
        }
        polls += 1;
      }
    };
    const past = async (after: number) => {
      const sql = 'select seq::int as seq from entry where conversation_id = $1 and seq > $2 order by seq';
      return (await arena.first.database.query<{ seq: number }>(sql, [id, after])).map(({ seq }) => seq);
    };
    const through = (instance: number) => async (after: number) => {
      const query = { after, limit: 20 };
      const reply = await arena.http(instance).call('listEntries', { token: bob.token, params: { conversationId: id }, query });
      const { entries, head: shown } = reply.ok(200);
      expect(shown).toBeGreaterThanOrEqual(entries.at(-1)?.seq ?? 0);
      return entries.map(({ seq }) => seq);
    };
    const many = (instance: number) => async (after: number) => {
      const reply = await arena.http(instance).call('sync', { token: bob.token, body: { conversations: { [id]: { after } } } });
      const answer = reply.ok(200).conversations?.[id];
      return answer !== undefined && 'entries' in answer ? answer.entries.map(({ seq }) => seq) : [];
    };
    rethrow(await runTogether([...senders, ...[past, through(0), through(1), many(0)].map((page) => () => follow(page))]));
    expect(polls).toBeGreaterThan(8);
    expect(await soundLog(arena.first, id)).toHaveLength(head);
  });
});
