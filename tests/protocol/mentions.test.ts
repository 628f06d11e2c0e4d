import { describe, expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import { entryOf } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, range, useWorld } from './support/world.ts';

const world = useWorld();
const { said, send, edit, redact, mark, remove, put } = actsOn(() => world.http);

const counts = async (who: Person, id: string) => {
  const head = await world.head(who, id);
  const total = (await world.http.call('getUnread', { token: who.token })).ok();
  return { unread: head?.unread, mentions: head?.mentions, total: total.mentions };
};

describe('mentions', () => {
  it('stand in the message, count for those they name, and end with reading', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    const seq = await said(ann, id, 'hey', { mentions: [bob.id, ann.id] });
    expect(await entryOf(world, cem, id, seq)).toMatchObject({ mentions: [bob.id, ann.id], body: { text: 'hey' } });
    await said(ann, id, 'all', { mentions: [bob.id, cem.id] });
    expect(await counts(bob, id)).toEqual({ unread: 2, mentions: 2, total: 2 });
    expect(await counts(cem, id)).toEqual({ unread: 2, mentions: 1, total: 1 });
    // Naming oneself is no mention.
    expect(await counts(ann, id)).toEqual({ unread: 0, mentions: 0, total: 0 });
    (await mark(bob, id, seq)).ok();
    expect(await counts(bob, id)).toEqual({ unread: 1, mentions: 1, total: 1 });
    (await mark(bob, id, seq + 1)).ok();
    expect(await counts(bob, id)).toEqual({ unread: 0, mentions: 0, total: 0 });
  });

  it('are those of the message as it now stands: edits add and take away, redactions take away', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    const one = await said(ann, id, 'one', { mentions: [bob.id] });
    const two = await said(ann, id, 'two');
    expect([await counts(bob, id), await counts(cem, id)]).toMatchObject([{ mentions: 1 }, { mentions: 0 }]);
    (await edit(ann, id, one, 'one', { mentions: [cem.id] })).ok();
    expect(await entryOf(world, bob, id, 4)).toMatchObject({ type: 'message.edited', mentions: [cem.id] });
    expect([await counts(bob, id), await counts(cem, id)]).toMatchObject([{ mentions: 0 }, { mentions: 1 }]);
    (await edit(ann, id, two, 'two', { mentions: [bob.id, cem.id] })).ok();
    expect([await counts(bob, id), await counts(cem, id)]).toMatchObject([{ mentions: 1 }, { mentions: 2 }]);
    // A superseded edit names nobody any more.
    (await edit(ann, id, one, 'three', { mentions: [bob.id, cem.id] })).ok();
    expect(await entryOf(world, bob, id, 4)).not.toHaveProperty('mentions');
    expect([await counts(bob, id), await counts(cem, id)]).toMatchObject([{ mentions: 2 }, { mentions: 2 }]);
    (await redact(ann, id, two)).ok();
    expect([await counts(bob, id), await counts(cem, id)]).toMatchObject([
      { mentions: 1, unread: 2 },
      { mentions: 1, unread: 2 },
    ]);
    // Of what was read nothing counts, whoever is named in it later.
    (await mark(bob, id, two)).ok();
    (await edit(ann, id, one, 'four', { mentions: [bob.id] })).ok();
    expect([await counts(bob, id), await counts(cem, id)]).toMatchObject([{ mentions: 0 }, { mentions: 0 }]);
  });

  it('begin anew with a rejoin', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x', { mentions: [bob.id] });
    (await remove(ann, id, bob)).ok();
    expect((await world.http.call('getUnread', { token: bob.token })).ok()).toEqual({ total: 0, mentions: 0 });
    (await put(ann, id, bob)).ok();
    expect(await counts(bob, id)).toEqual({ unread: 0, mentions: 0, total: 0 });
    (await edit(ann, id, seq, 'y', { mentions: [bob.id] })).ok();
    expect(await counts(bob, id)).toEqual({ unread: 0, mentions: 0, total: 0 });
    await said(ann, id, 'z', { mentions: [bob.id] });
    expect(await counts(bob, id)).toEqual({ unread: 1, mentions: 1, total: 1 });
  });

  it('of one user twice count once, and are part of what makes a send the same', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    await said(ann, id, 'x', { mentions: [bob.id], clientMsgId: 'm' });
    expect((await send(ann, id, 'x', { mentions: [bob.id], clientMsgId: 'm' })).ok(200).seq).toBe(2);
    (await send(ann, id, 'x', { clientMsgId: 'm' })).refused('client_msg_id_reused');
    const twice = await send(ann, id, 'y', { mentions: [bob.id, bob.id] });
    if (twice.status !== 201) twice.refused('invalid_request');
    expect((await counts(bob, id)).mentions).toBe(twice.status === 201 ? 2 : 1);
  });

  it('of strangers, of those who left, of too many and of what is no user are refused', async () => {
    const [ann, bob, cem, eve] = await world.people('ann', 'bob', 'cem', 'eve');
    const { id } = await world.create(ann, { members: [bob, cem] });
    (await remove(ann, id, cem)).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (const stranger of [eve.id, cem.id, 'nobody-here']) {
        (await send(ann, id, 'x', { mentions: [bob.id, stranger] })).refused('user_unknown');
      }
      (await send(ann, id, 'x', { mentions: range(1, 51).map((n) => `u${n}`) })).refused('invalid_request');
      for (const mentions of [['$system'], ['me'], [''], [7], 'bob', {}]) {
        (await send(ann, id, 'x', { mentions })).refused('invalid_request');
      }
    });
    expect(await counts(bob, id)).toEqual({ unread: 0, mentions: 0, total: 0 });
  });

  it('may stay when who is named leaves, who then hears of no edit', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    const seq = await said(ann, id, 'x', { mentions: [bob.id, cem.id] });
    (await remove(ann, id, bob)).ok();
    const bobs = await world.device(bob);
    const cems = await world.device(cem);
    const edited = (await edit(ann, id, seq, 'y', { mentions: [bob.id, cem.id] })).ok().seq ?? 0;
    await cems.reach(`c/${id}`, edited);
    // What goes to the same topic afterwards has come, so what went before would have.
    const { id: other } = await world.create(ann, { members: [bob] });
    await bobs.reach(`c/${other}`, 1);
    expect(bobs.position(`c/${id}`)).toBe(0);
  });
});

describe('in a big group, whose fan-outs are paced', () => {
  // One fan-out goes at once; the next waits for a minute.
  const paced = useWorld({ compose: { api: { pace: { freeMembers: 2, msPerMember: 60_000, maxMs: 60_000 } } } });
  const acts = actsOn(() => paced.http);

  it('who is mentioned hears at once, and who is not waits', async () => {
    const [ann, bob, cem, dan] = await paced.people('ann', 'bob', 'cem', 'dan');
    const { id } = await paced.create(ann, { members: [bob, cem, dan] });
    const bobs = await paced.device(bob);
    const cems = await paced.device(cem);
    const watching = await paced.device(dan);
    await watching.ask('watch', { conversationIds: [id] });
    await acts.said(ann, id, 'opens the gap');
    const seq = await acts.said(ann, id, 'paced');
    await watching.reach(`c/${id}`, seq);
    const mention = await acts.said(ann, id, 'you', { mentions: [bob.id] });
    await bobs.reach(`c/${id}`, mention);
    await watching.reach(`c/${id}`, mention);
    expect(cems.position(`c/${id}`)).toBeLessThan(seq);
    const edited = (await acts.edit(ann, id, seq, 'now you', { mentions: [cem.id] })).ok().seq ?? 0;
    await cems.reach(`c/${id}`, edited);
  });
});
