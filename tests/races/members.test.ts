import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTogether } from '../support/barrier.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Arena, createArena, type Person, send, soundLog, soundMembers } from './support/arena.ts';

let arena: Arena;
beforeAll(async () => {
  arena = await createArena();
});
afterAll(async () => {
  await arena?.[Symbol.asyncDispose]();
});

const remove = (instance: number, by: Person, conversationId: string, userId: string) =>
  arena.http(instance).call('removeMember', { token: by.token, params: { conversationId, userId } });

const put = (instance: number, by: Person, conversationId: string, userId: string, role?: 'owner' | 'moderator' | 'member') =>
  arena.http(instance).call('putMember', { token: by.token, params: { conversationId, userId }, body: role === undefined ? {} : { role } });

describe('a member that sends while it is removed', () => {
  it.each([
    ['removed by the owner', 'removed'],
    ['leaving by itself', 'left'],
  ] as const)('%s: each send is an entry before member.left, or 404', async (_, reason) => {
    const [ann, ...members] = await arena.people('ann', 'bob', 'cem', 'dee');
    const id = await arena.group(ann, members);
    const acked = new Map<string, number[]>(members.map((member) => [member.id, []]));
    /** Four lanes of each member send on and on until they are told that nothing is there. */
    const lanes = members.flatMap((member) =>
      [0, 1, 2, 3].map((lane) => async () => {
        for (let n = 0; ; n += 1) {
          const reply = await send(arena.http(lane), member, id, `${lane}-${n}`);
          if (reply.status === 404) return void reply.refused('not_found');
          acked.get(member.id)?.push(reply.ok(201).seq);
        }
      }),
    );
    const removals = members.map((member, n) => async () => {
      await waitFor('sends in flight', () => (acked.get(member.id)?.length ?? 0) > 8, { intervalMs: 1 });
      const reply = reason === 'left' ? await remove(n, member, id, 'me') : await remove(n, ann, id, member.id);
      expect(reply.ok(200).changed).toBe(true);
    });
    for (const result of await runTogether([...lanes, ...removals])) if (result.status === 'rejected') throw result.reason;

    const log = await soundLog(arena.first, id);
    for (const member of members) {
      const left = log.filter((entry) => entry.type === 'member.left' && entry.body?.userId === member.id);
      expect(left).toMatchObject([{ body: { reason } }]);
      const own = log.filter(({ type, senderId }) => type === 'message' && senderId === member.id).map(({ seq }) => seq);
      expect(own.length, 'it sent').toBeGreaterThan(8);
      expect(Math.max(...own), 'nothing of it stands after its leaving').toBeLessThan(left[0]?.seq ?? 0);
      expect(
        acked.get(member.id)?.sort((a, b) => a - b),
        'what was answered 201 is what is there',
      ).toEqual(own);
    }
    expect([...(await soundMembers(arena.first, id)).keys()]).toEqual([ann.id]);
  });

  it('added again meanwhile: its entries lie inside its memberships', async () => {
    const [ann, bob] = await arena.people('ann', 'bob');
    const id = await arena.group(ann, [bob]);
    let done = false;
    const counts = { sent: 0, refused: 0 };
    const lanes = [0, 1, 2].map((lane) => async () => {
      for (let n = 0; !done; n += 1) {
        const reply = await send(arena.http(lane), bob, id, `${lane}-${n}`);
        if (reply.status === 201) counts.sent += 1;
        else {
          reply.refused('not_found');
          counts.refused += 1;
        }
      }
    });
    const owner = async () => {
      try {
        for (let round = 0; round < 10; round += 1) {
          const before = { ...counts };
          await waitFor('a send', () => counts.sent > before.sent, { intervalMs: 1 });
          expect((await remove(round, ann, id, bob.id)).ok(200).changed).toBe(true);
          await waitFor('a refusal', () => counts.refused > before.refused, { intervalMs: 1 });
          expect((await put(round + 1, ann, id, bob.id)).ok(200).changed).toBe(true);
        }
      } finally {
        done = true;
      }
    };
    for (const result of await runTogether([...lanes, owner])) if (result.status === 'rejected') throw result.reason;
    let member = true;
    let messages = 0;
    for (const entry of await soundLog(arena.first, id)) {
      if (entry.type === 'member.left') member = false;
      else if (entry.type === 'member.joined') member = true;
      else if (entry.type === 'message') {
        expect(member, `entry ${entry.seq}`).toBe(true);
        messages += 1;
      }
    }
    expect(messages).toBe(counts.sent);
    await soundMembers(arena.first, id);
  });
});

describe('roles that change at once', () => {
  it('two owners who leave at once while a member stays: one is told last_owner', async () => {
    for (let round = 0; round < 6; round += 1) {
      const [ann, bob, cem] = await arena.people('ann', 'bob', 'cem');
      const id = await arena.group(ann, [bob, cem]);
      (await put(0, ann, id, bob.id, 'owner')).ok(200);
      const results = await runTogether([ann, bob].map((owner, n) => () => remove(n, owner, id, 'me')));
      const replies = results.map((result) => (result.status === 'fulfilled' ? result.value.status : result.reason));
      expect(replies.sort()).toEqual([200, 409]);
      const roles = await soundMembers(arena.first, id);
      expect([...roles.values()].sort()).toEqual(['member', 'owner']);
    }
  });

  it('two owners who take the role from each other: one stays owner', async () => {
    for (let round = 0; round < 6; round += 1) {
      const [ann, bob] = await arena.people('ann', 'bob');
      const id = await arena.group(ann, [bob]);
      (await put(0, ann, id, bob.id, 'owner')).ok(200);
      await runTogether([() => put(0, ann, id, bob.id, 'member'), () => put(1, bob, id, ann.id, 'member')]);
      expect([...(await soundMembers(arena.first, id)).values()].sort()).toEqual(['member', 'owner']);
    }
  });

  it('many puts, removals and role changes at once keep an owner, the counter and the log in agreement', async () => {
    const people = await arena.people('a', 'b', 'c', 'd', 'e', 'f');
    const [ann, ...others] = people;
    const id = await arena.group(ann, others);
    for (const other of others.slice(0, 2)) (await put(0, ann, id, other.id, 'owner')).ok(200);
    const roles = ['owner', 'moderator', 'member'] as const;
    const statuses = new Map<number, number>();
    for (let round = 0; round < 6; round += 1) {
      const tasks: (() => Promise<{ readonly status: number }>)[] = people.flatMap((by, n) => [
        () => put(n, by, id, people[(n + round) % people.length]?.id ?? '', roles[(n + round) % 3]),
        () => remove(n + 1, by, id, people[(n + round + 1) % people.length]?.id ?? ''),
        () => remove(n, by, id, 'me'),
        () => put(n + 1, by, id, people[(n + round + 2) % people.length]?.id ?? ''),
      ]);
      for (const result of await runTogether(tasks)) {
        if (result.status === 'rejected') throw result.reason;
        const { status } = result.value;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      const present = await soundMembers(arena.first, id);
      const owners = [...present].filter(([, role]) => role === 'owner').map(([userId]) => userId);
      if (present.size === 0) break;
      expect(owners.length, 'owners').toBeGreaterThanOrEqual(1);
      const owner = people.find((person) => person.id === owners[0]) ?? ann;
      const shown = (await arena.http(round).call('getConversation', { token: owner.token, params: { conversationId: id } })).ok(200);
      expect(shown.conversation.memberCount).toBe(present.size);
      for (const person of people) (await put(round, owner, id, person.id)).ok(200);
    }
    expect(statuses.get(200), 'some took effect').toBeGreaterThan(0);
    expect(
      [...statuses].filter(([status]) => status !== 200 && ![403, 404, 409].includes(status)),
      'the others were refused',
    ).toEqual([]);
    expect(statuses.size).toBeGreaterThan(1);
  });
});
