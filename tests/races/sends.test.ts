import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sent } from '../protocol/support/http.ts';
import { runTogether } from '../support/barrier.ts';
import { type Arena, createArena, send, soundLog } from './support/arena.ts';

let arena: Arena;
beforeAll(async () => {
  arena = await createArena();
});
afterAll(async () => {
  await arena?.[Symbol.asyncDispose]();
});

/** The values of tasks that must all have succeeded. */
function values<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

describe('the same send many times at once, over two instances', () => {
  it('is one entry: one 201, every other answer 200 with the same seq', async () => {
    const [ann, bob] = await arena.people('ann', 'bob');
    const id = await arena.group(ann, [bob]);
    const replies = values(await runTogether(Array.from({ length: 200 }, (_, n) => () => send(arena.http(n), ann, id, 'once'))));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(199);
    expect(new Set(replies.map((reply) => sent(reply).seq))).toEqual(new Set([2]));
    expect(await soundLog(arena.first, id)).toMatchObject([
      { type: 'conversation.created' },
      { clientMsgId: 'once', body: { text: 'once' } },
    ]);
  });

  it('with two bodies: one of them wins everywhere, the other is 409 everywhere', async () => {
    const [ann, bob] = await arena.people('ann', 'bob');
    const id = await arena.group(ann, [bob]);
    const texts = Array.from({ length: 100 }, (_, n) => (n % 4 < 2 ? 'red' : 'blue'));
    const replies = values(await runTogether(texts.map((text, n) => () => send(arena.http(n), ann, id, 'torn', text))));
    const log = await soundLog(arena.first, id);
    expect(log).toHaveLength(2);
    const winner = log[1]?.body?.text;
    for (const [n, reply] of replies.entries()) {
      if (texts[n] === winner) expect(sent(reply).seq).toBe(2);
      else reply.refused('client_msg_id_reused');
    }
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
  });

  it('by two senders are two entries: the id belongs to its sender', async () => {
    const [ann, bob] = await arena.people('ann', 'bob');
    const id = await arena.group(ann, [bob]);
    const replies = values(
      await runTogether(Array.from({ length: 40 }, (_, n) => () => send(arena.http(n >> 1), n % 2 ? ann : bob, id, 'x'))),
    );
    expect(new Set(replies.map((reply) => sent(reply).seq))).toEqual(new Set([2, 3]));
    expect(await soundLog(arena.first, id)).toHaveLength(3);
  });
});

describe('two instances that append to the same conversations at once', () => {
  it('leave gapless logs in which every acknowledged send stands where its answer said', async () => {
    const people = await arena.people('ann', 'bob', 'cem', 'dee');
    const [ann, ...others] = people;
    const ids = await Promise.all([0, 1, 2].map(() => arena.group(ann, others)));
    const each = 25;
    const tasks = ids.flatMap((id) =>
      people.flatMap((sender) =>
        [0, 1].map((instance) => async () => {
          const acked: { readonly id: string; readonly sender: string; readonly msg: string; readonly seq: number }[] = [];
          for (let n = 0; n < each; n += 1) {
            const msg = `${instance}-${n}`;
            acked.push({ id, sender: sender.id, msg, seq: (await send(arena.http(instance), sender, id, msg)).ok(201).seq });
          }
          return acked;
        }),
      ),
    );
    const acked = values(await runTogether(tasks)).flat();
    for (const id of ids) {
      const log = await soundLog(arena.first, id);
      expect(log).toHaveLength(1 + people.length * 2 * each);
      for (const ack of acked.filter((one) => one.id === id)) {
        expect(log[ack.seq - 1]).toMatchObject({ senderId: ack.sender, clientMsgId: ack.msg, body: { text: ack.msg } });
      }
    }
  });
});

describe('one direct pair created from both sides at once', () => {
  it('is one conversation with one first entry', async () => {
    const people = await arena.people('a', 'b', 'c', 'd', 'e', 'f');
    const pairs = people.flatMap((left, n) => people.slice(n + 1).map((right) => [left, right] as const));
    const answers = await Promise.all(
      pairs.map(async ([left, right]) => {
        const create = (n: number) => () => {
          const [by, other] = n % 2 === 0 ? [left, right] : [right, left];
          return arena.http(n >> 1).call('createConversation', { token: by.token, body: { type: 'direct', members: [other.id] } });
        };
        return values(await runTogether([0, 1, 2, 3].map(create)));
      }),
    );
    const ids = answers.map((replies) => {
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
      const [id, ...more] = new Set(replies.map((reply) => reply.ok().conversation.id));
      expect(more).toEqual([]);
      return id ?? '';
    });
    expect(new Set(ids).size).toBe(pairs.length);
    for (const id of ids) expect((await soundLog(arena.first, id)).map(({ type }) => type)).toEqual(['conversation.created']);
  });

  it('a group with a key created many times at once is one group', async () => {
    const [ann, bob] = await arena.people('ann', 'bob');
    const body = { type: 'group', members: [bob.id], key: 'project-7' };
    const replies = values(
      await runTogether(Array.from({ length: 40 }, (_, n) => () => arena.http(n).call('createConversation', { token: ann.token, body }))),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
    const [id = '', ...more] = new Set(replies.map((reply) => reply.ok().conversation.id));
    expect(more).toEqual([]);
    expect(await soundLog(arena.first, id)).toHaveLength(1);
  });
});
