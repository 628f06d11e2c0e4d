import { describe, expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import { entryOf } from './support/reads.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, range, useWorld } from './support/world.ts';

const world = useWorld({ env: { LIMIT_WRITES_PER_10_SECONDS: '100000' } });
const { said, pin, unpin, edit, react, redact } = actsOn(() => world.http);

const pins = async (viewer: Person, id: string) =>
  (await world.http.call('listPins', { token: viewer.token, params: { conversationId: id } })).ok();

describe('a pin', () => {
  it('is an entry, folded into the message and listed with who and when, the newest first', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const [one, two] = [await said(bob, id, 'one'), await said(bob, id, 'two')];
    expect(await pins(bob, id)).toEqual({ items: [], mine: {} });
    await world.entries(bob, id);
    expect((await pin(ann, id, one)).ok()).toEqual({ seq: 4, changed: true });
    (await pin(ann, id, two)).ok();
    (await react(bob, id, one, '👍')).ok();
    const { entries } = await world.entries(bob, id, { after: 0 });
    expect(entries[3]).toEqual({
      seq: 4,
      type: 'message.pinned',
      target: one,
      senderId: ann.id,
      createdAt: expect.any(String),
      body: null,
    });
    expect(entries[1]).toMatchObject({ seq: one, pinned: true, stateSeq: 6 });
    const listed = await pins(bob, id);
    expect(listed.items).toEqual([
      { entry: entries[2], pinnedBy: ann.id, pinnedAt: entries[4]?.createdAt },
      { entry: entries[1], pinnedBy: ann.id, pinnedAt: entries[3]?.createdAt },
    ]);
    expect(listed.mine).toEqual({ [one]: ['👍'] });
  });

  it('goes by unpinning, and either of them twice changes nothing', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { type: 'direct', members: [bob] });
    const seq = await said(ann, id, 'x');
    await leavesAllAsItWas(world.system.database, id, async () => {
      expect((await unpin(bob, id, seq)).ok()).toEqual({ seq: null, changed: false });
    });
    // In a direct conversation both may.
    (await pin(bob, id, seq)).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      expect((await pin(ann, id, seq)).ok()).toEqual({ seq: null, changed: false });
    });
    expect((await unpin(ann, id, seq)).ok()).toEqual({ seq: 4, changed: true });
    expect(await entryOf(world, bob, id, 4)).toEqual({
      seq: 4,
      type: 'message.unpinned',
      target: seq,
      senderId: ann.id,
      createdAt: expect.any(String),
      body: null,
    });
    expect(await entryOf(world, bob, id, seq)).not.toHaveProperty('pinned');
    expect((await pins(bob, id)).items).toEqual([]);
  });

  it('shows the message as it now stands, and goes with its redaction', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const seq = await said(ann, id, 'one');
    (await pin(ann, id, seq)).ok();
    (await edit(ann, id, seq, 'two')).ok();
    expect((await pins(ann, id)).items).toMatchObject([{ entry: { seq, body: { text: 'two' }, pinned: true } }]);
    (await redact(ann, id, seq)).ok();
    expect((await pins(ann, id)).items).toEqual([]);
  });

  it('is refused on system and acting entries, on what is not there and to strangers', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { members: [bob] });
    const seq = await said(ann, id, 'x');
    const acting = (await react(bob, id, seq, '👍')).ok().seq ?? 0;
    await leavesAllAsItWas(world.system.database, id, async () => {
      for (const act of [pin, unpin]) {
        for (const target of [1, acting]) (await act(ann, id, target)).refused('invalid_request');
        (await act(ann, id, acting + 1)).refused('not_found');
        (await act(bob, id, seq)).refused('forbidden');
        (await act(eve, id, seq)).refused('not_found');
      }
      (await world.http.call('listPins', { token: eve.token, params: { conversationId: id } })).refused('not_found');
    });
  });

  it('is the hundred and first of its conversation only once another is gone', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const last = await world.sendMany(ann, id, 102);
    for (const seq of range(2, 101)) (await pin(ann, id, seq)).ok();
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await pin(ann, id, last)).refused('limit_reached');
      expect((await pin(ann, id, 2)).ok().changed).toBe(false);
    });
    expect((await pins(ann, id)).items.map(({ entry }) => entry.seq)).toEqual(range(2, 101).toReversed());
    (await unpin(ann, id, 50)).ok();
    (await pin(ann, id, last)).ok();
    (await pin(ann, id, 50)).refused('limit_reached');
    (await redact(ann, id, 51)).ok();
    (await pin(ann, id, 50)).ok();
    expect((await pins(ann, id)).items).toHaveLength(100);
  }, 60_000);
});
