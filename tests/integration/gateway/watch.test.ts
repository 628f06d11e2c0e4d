import { randomUUID } from 'node:crypto';
import type { MembershipSource } from '@nudge/gateway';
import { ManualClock } from '@nudge/server-kit/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

/** With a clock that stands still nobody's share is given back: silence must not come from there. */
const talkative = { socketEventsPer10Seconds: 1e6, typingPer10Seconds: 1e6, customEventsPer10Seconds: 1e6 };

let world: GatewayWorld;
let server: GatewayServer;
beforeAll(async () => {
  world = await createGatewayWorld();
  server = await startGatewayServer(world);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

describe('watch', () => {
  it('answers the heads of what one may see; missing, foreign and forbidden look alike', async () => {
    const mine = await world.conversation(['ann', 'bob']);
    const theirs = await world.conversation(['bob']);
    const foreign = await world.conversation(['ann'], world.otherApp);
    const missing = randomUUID();
    const device = await server.connect('ann');
    expect(await device.call('watch', { conversationIds: [mine, theirs, foreign, missing, mine] })).toEqual({
      ok: true,
      heads: { [mine]: 1 },
      refused: { [theirs]: 'not_found', [foreign]: 'not_found', [missing]: 'not_found' },
    });
    await server.publishToConversation(mine, { kind: 'key', log: `c/${mine}`, seq: 2 });
    await server.publishToConversation(theirs, { kind: 'key', log: `c/${theirs}`, seq: 2 });
    await server.publishToConversation(foreign, { kind: 'key', log: `c/${foreign}`, seq: 2 }, world.otherApp);
    await waitFor('the key', () => device.heard(`c/${mine}`) === 2);
    await device.settled();
    expect(device.notifies).toHaveLength(1);
  });

  it('ends with unwatch', async () => {
    const id = await world.conversation(['ann']);
    const device = await server.connect('ann');
    await device.call('watch', { conversationIds: [id] });
    expect(await device.call('unwatch', { conversationIds: [id, randomUUID()] })).toEqual({ ok: true });
    await server.publishToConversation(id, { kind: 'key', log: `c/${id}`, seq: 2 });
    await device.settled();
    expect(device.notifies).toEqual([]);
  });

  it('is bounded per session, over all its calls', async () => {
    await using small = await startGatewayServer(world, { limits: { watchedConversations: 3 } });
    const ids = await Promise.all(Array.from({ length: 5 }, () => world.conversation(['ann'])));
    const device = await small.connect('ann');
    const answers = await Promise.all([
      device.call('watch', { conversationIds: ids.slice(0, 2) }),
      device.call('watch', { conversationIds: ids.slice(2, 4) }),
      device.call('watch', { conversationIds: ids.slice(4) }),
    ]);
    const refused = answers.flatMap((answer) => (answer.ok ? Object.values(answer.refused) : []));
    expect(refused).toEqual(['too_large', 'too_large']);
  });

  it('asks the database for many watchers at once', async () => {
    let statements = 0;
    const counted = (store: MembershipSource): MembershipSource => ({
      ...store,
      standings: (pairs) => {
        statements++;
        return store.standings(pairs);
      },
    });
    await using many = await startGatewayServer(world, { membership: counted });
    const users = Array.from({ length: 40 }, (_, i) => `crowd${i}`);
    const id = await world.conversation(users);
    const devices = await Promise.all(users.map((user) => many.connect(user)));
    const answers = await Promise.all(devices.map((device) => device.call('watch', { conversationIds: [id] })));
    expect(answers.every((answer) => answer.ok && answer.heads[id] === 1)).toBe(true);
    expect(statements).toBeLessThan(20);
  });

  it('is charged by the ids it names', async () => {
    await using small = await startGatewayServer(world, { limits: { socketEventsPer10Seconds: 12 } });
    const device = await small.connect('ann');
    const ids = Array.from({ length: 100 }, () => randomUUID());
    expect(await device.call('watch', { conversationIds: ids })).toMatchObject({ ok: true });
    expect(await device.call('watch', { conversationIds: ids.slice(0, 11) })).toMatchObject({ ok: true });
    expect(await device.call('watch', { conversationIds: ids.slice(0, 1) })).toMatchObject({ ok: false, code: 'rate_limited' });
  });

  it('begun while the members are read again hears as soon as they have been', async () => {
    let behind = false;
    const held: (() => void)[] = [];
    const holding = (store: MembershipSource): MembershipSource => ({
      ...store,
      standings: async (pairs) => {
        const standings = await store.standings(pairs);
        if (behind) await new Promise<void>((resolve) => held.push(resolve));
        return standings;
      },
    });
    // No comparison comes to the rescue within the test.
    await using slow = await startGatewayServer(world, { config: { recheckMs: 3_600_000, staleMs: 3_600_000 }, membership: holding });
    const release = async (what: string) => {
      await waitFor(what, () => held.length > 0);
      for (const go of held.splice(0)) go();
    };
    const id = await world.conversation(['ann', 'bob', 'cem', 'dan']);
    const [ann, bob] = await Promise.all([slow.connect('ann'), slow.connect('bob')]);
    await ann.call('watch', { conversationIds: [id] });
    behind = true;
    // Both questions carry the version before the second removal, and the recheck knows nothing of bob.
    await slow.publishToConversation(id, await world.remove(id, 'cem', 'ann'));
    await waitFor('the recheck', () => held.length === 1);
    const watching = bob.call('watch', { conversationIds: [id] });
    await bob.settled();
    await release('the recheck');
    await waitFor('the question of the watch', () => held.length === 1);
    const second = await world.remove(id, 'dan', 'ann');
    await slow.publishToConversation(id, second);
    await release('the question of the watch');
    behind = false;
    for (const go of held.splice(0)) go();
    await watching;
    const passes = async () => {
      const before = bob.typings.length;
      ann.typing(id, true);
      for (const device of [ann, bob]) {
        for (const go of held.splice(0)) go();
        await device.settled();
      }
      return bob.typings.length > before;
    };
    await waitFor('bob to hear', passes);
  });

  it('ends with a ban, for ever or for a time, and no key of the conversation comes after it', async () => {
    const id = await world.conversation(['ann', 'bob']);
    const [bob, ann] = await Promise.all([server.connect('bob'), server.connect('ann')]);
    for (const device of [bob, ann]) await device.call('watch', { conversationIds: [id] });
    await world.database.query(`update member set banned_until = 'infinity' where conversation_id = $1 and user_id = 'bob'`, [id]);
    const [row] = await world.database.query<{ version: string }>(
      'update conversation set member_version = member_version + 1 where id = $1 returning member_version as version',
      [id],
    );
    await server.publishToConversation(id, { kind: 'control', conversationId: id, memberVersion: Number(row?.version), head: 1 });
    let seq = 10;
    await waitFor('ann still hears', async () => {
      await server.publishToConversation(id, { kind: 'key', log: `c/${id}`, seq: ++seq });
      return ann.heard(`c/${id}`) > 0;
    });
    await bob.settled();
    expect(bob.notifies).toEqual([]);
    expect(await bob.call('watch', { conversationIds: [id] })).toMatchObject({ refused: { [id]: 'not_found' } });
  });

  it('ends when the control message of a removal comes, for that user on all devices, not for others', async () => {
    const id = await world.conversation(['ann', 'bob']);
    const [bob1, bob2, ann] = await Promise.all([
      server.connect('bob', { deviceId: '1' }),
      server.connect('bob', { deviceId: '2' }),
      server.connect('ann'),
    ]);
    for (const device of [bob1, bob2, ann]) await device.call('watch', { conversationIds: [id] });
    await server.publishToConversation(id, await world.remove(id, 'bob', 'ann'));
    let seq = 10;
    await waitFor('ann still hears', async () => {
      await server.publishToConversation(id, { kind: 'key', log: `c/${id}`, seq: ++seq });
      return ann.heard(`c/${id}`) > 0;
    });
    await bob1.settled();
    await bob2.settled();
    expect([bob1.notifies, bob2.notifies]).toEqual([[], []]);
    expect(await bob1.call('watch', { conversationIds: [id] })).toMatchObject({ refused: { [id]: 'not_found' } });
  });

  it('ends at the next look at the database when the control message was lost', async () => {
    await using quick = await startGatewayServer(world, { config: { recheckMs: 50, staleMs: 5_000 } });
    const id = await world.conversation(['ann', 'bob']);
    const [bob, ann] = await Promise.all([quick.connect('bob'), quick.connect('ann')]);
    for (const device of [bob, ann]) await device.call('watch', { conversationIds: [id] });
    await world.remove(id, 'bob', 'ann');
    await waitFor('bob`s watch to end', async () => {
      const before = bob.typings.length;
      ann.typing(id, true);
      await ann.settled();
      await bob.settled();
      return bob.typings.length === before;
    });
  });

  it('ends within the time between two looks, when the control message was lost and the look has just been', async () => {
    const recheckMs = 3_000;
    let looks = 0;
    const looking = (store: MembershipSource): MembershipSource => ({
      ...store,
      async versions(ids) {
        const versions = await store.versions(ids);
        looks += 1;
        return versions;
      },
    });
    const clock = new ManualClock(Date.now());
    await using slow = await startGatewayServer(world, { config: { recheckMs }, limits: talkative, clock, membership: looking });
    const id = await world.conversation(['ann', 'bob']);
    const [bob, ann] = await Promise.all([slow.connect('bob'), slow.connect('ann')]);
    for (const device of [bob, ann]) await device.call('watch', { conversationIds: [id] });
    const passes = async () => {
      const before = bob.events.length;
      ann.event(id, 'tick');
      for (const device of [ann, bob]) await device.settled();
      return bob.events.length > before;
    };
    clock.advance(recheckMs);
    await waitFor('a look', () => looks > 0);
    await world.remove(id, 'bob', 'ann');
    await waitFor('it to pass still', passes);
    clock.advance(recheckMs * 0.8);
    await waitFor('silence', async () => !(await passes()));
    for (let i = 0; i < 3; i++) expect(await passes()).toBe(false);
  });

  it('relays nothing while the database cannot say who is a member', async () => {
    let broken = false;
    const breaking = (store: MembershipSource): MembershipSource => ({
      relations: (users) => (broken ? Promise.reject(new Error('down')) : store.relations(users)),
      standings: (pairs) => (broken ? Promise.reject(new Error('down')) : store.standings(pairs)),
      versions: (ids) => (broken ? Promise.reject(new Error('down')) : store.versions(ids)),
    });
    const [recheckMs, staleMs] = [1_000, 20_000];
    const clock = new ManualClock(Date.now());
    const options = { config: { recheckMs, staleMs }, limits: talkative, clock, membership: breaking };
    await using server = await startGatewayServer(world, options);
    const id = await world.conversation(['ann', 'bob']);
    const [ann, bob] = await Promise.all([server.connect('ann'), server.connect('bob')]);
    for (const device of [ann, bob]) await device.call('watch', { conversationIds: [id] });
    const passes = async () => {
      const before = bob.typings.length;
      ann.typing(id, true);
      await ann.settled();
      await bob.settled();
      return bob.typings.length > before;
    };
    await waitFor('it to pass', passes);
    broken = true;
    clock.advance(staleMs + 1);
    await waitFor('silence', async () => !(await passes()));
    expect(await ann.call('watch', { conversationIds: [id] })).toMatchObject({ ok: false, code: 'internal', retryable: true });
    broken = false;
    await waitFor('it to pass again', () => {
      clock.advance(recheckMs);
      return passes();
    });
  });
});
