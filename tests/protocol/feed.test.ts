import { describe, expect, it } from 'vitest';
import { type Person, useWorld } from './support/world.ts';

const world = useWorld();

type Item = { subject: string; version: number; state: Record<string, unknown> };

const feed = async (who: Person, after = 0) => {
  const answer = (await world.sync(who, { feed: { after } })).feed;
  if (answer === undefined) throw new Error('no feed');
  return answer;
};
/** The feed as a device keeps it after applying `after`…: subject -> state. */
const states = (items: readonly Item[]) => Object.fromEntries(items.map(({ subject, state }) => [subject, state]));

describe('the feed', () => {
  it('knows memberships, read positions and preferences, each as its newest state', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const group = await world.create(ann, { members: [bob] });
    const direct = await world.create(ann, { type: 'direct', members: [bob] });
    await world.sendMany(ann, group.id, 3);
    const bobs = (name: 'markRead' | 'removeMember' | 'putMember', params: object, body?: object, by = bob) =>
      world.http.call(name, { token: by.token, params: { conversationId: group.id, ...params }, ...(body === undefined ? {} : { body }) });
    (await bobs('markRead', {}, { seq: 2 })).ok();
    (await bobs('markRead', {}, { seq: 3 })).ok();
    (await bobs('putMember', { userId: bob.id }, { role: 'moderator' }, ann)).ok();
    (await world.http.call('removeMember', { token: bob.token, params: { conversationId: direct.id, userId: 'me' } })).ok();

    const page = await feed(bob);
    expect(page.more).toBe(false);
    expect(states(page.items)).toEqual({
      [`member/${group.id}`]: { role: 'moderator', state: 'joined', joinedSeq: 1 },
      [`member/${direct.id}`]: { role: 'member', state: 'joined', joinedSeq: 1 },
      [`read/${group.id}`]: { readSeq: 3 },
      [`pref/${direct.id}`]: { hiddenSeq: 1 },
    });
    const versions = page.items.map(({ version }) => version);
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    expect(Math.max(...versions)).toBe(page.version);
  });

  it('tells a leaver, by its own wish or not, and a rejoin replaces that', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const params = { conversationId: id, userId: bob.id };
    (await world.http.call('removeMember', { token: ann.token, params })).ok();
    expect(states((await feed(bob)).items)[`member/${id}`]).toEqual({ role: 'member', state: 'left', joinedSeq: 1, leftSeq: 2 });
    (await world.http.call('putMember', { token: ann.token, params })).ok();
    expect(states((await feed(bob)).items)[`member/${id}`]).toEqual({ role: 'member', state: 'joined', joinedSeq: 3 });
    (await world.http.call('removeMember', { token: bob.token, params })).ok();
    expect(states((await feed(bob)).items)[`member/${id}`]).toEqual({ role: 'member', state: 'left', joinedSeq: 3, leftSeq: 4 });
  });

  it('is asked from a version on and then holds only what changed', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const first = await world.create(ann, { members: [bob] });
    await world.create(ann, { members: [bob] });
    const { version } = await feed(bob);
    expect(await feed(bob, version)).toEqual({ version, more: false, items: [] });
    await world.send(ann, first.id);
    (await world.http.call('markRead', { token: bob.token, params: { conversationId: first.id }, body: { seq: 2 } })).ok();
    const delta = await feed(bob, version);
    expect(delta.items.map(({ subject }) => subject)).toEqual([`read/${first.id}`]);
    expect(delta.version).toBeGreaterThan(version);
    // Compacted: a device that was away gets each subject once.
    const all = (await feed(bob)).items.map(({ subject }) => subject);
    expect(new Set(all).size).toBe(all.length);
  });

  it('gives a device that applied every delta the same as one that starts fresh', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const known = new Map<string, Record<string, unknown>>();
    let version = 0;
    const catchUp = async () => {
      for (let more = true; more; ) {
        const page = await feed(bob, version);
        for (const { subject, state } of page.items) known.set(subject, state);
        version = page.version;
        more = page.more;
      }
    };
    const { id } = await world.create(ann, { members: [bob] });
    await catchUp();
    for (let n = 0; n < 5; n += 1) {
      const seq = await world.send(ann, id);
      (await world.http.call('markRead', { token: bob.token, params: { conversationId: id }, body: { seq } })).ok();
      if (n % 2 === 0) await catchUp();
    }
    (
      await world.http.call('putMember', { token: ann.token, params: { conversationId: id, userId: bob.id }, body: { role: 'owner' } })
    ).ok();
    await catchUp();
    expect(Object.fromEntries(known)).toEqual(states((await feed(bob)).items));
  });

  it('refuses a cursor or a min beyond it', async () => {
    const [ann] = await world.people('ann');
    const { version } = await feed(ann);
    (await world.http.call('sync', { token: ann.token, body: { feed: { after: version + 5 } } })).refused('seq_ahead');
    (await world.http.call('sync', { token: ann.token, body: { feed: { after: 0, min: version + 5 } } })).refused('seq_ahead');
    (await world.http.call('sync', { token: ann.token, body: { feed: { after: -1 } } })).refused('invalid_request');
  });

  it('holds own sends by the rule of section 9, not by a row each', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const { version } = await feed(ann);
    await world.sendMany(ann, id, 3);
    expect(await feed(ann, version)).toEqual({ version, more: false, items: [] });
    expect(await world.head(ann, id)).toMatchObject({ readSeq: 4, unread: 0 });
  });
});
