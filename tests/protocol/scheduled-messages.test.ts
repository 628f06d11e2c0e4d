import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { seedApp } from '../support/seed.ts';
import { startSystem } from '../support/system.ts';
import { waitFor } from '../support/wait-for.ts';
import { actsOn } from './support/acts.ts';
import { httpClient } from './support/http.ts';
import { entryOf } from './support/reads.ts';
import { later, letCome } from './support/scheduled.ts';
import { leavesAllAsItWas } from './support/state.ts';
import { type Person, range, useWorld } from './support/world.ts';

const world = useWorld({ env: { LIMIT_SCHEDULED_PER_USER: '5' } });
const { said, send, mute, unmute, remove, mark } = actsOn(() => world.http);

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();
const scheduled = async (who: Person, query: Record<string, string | number> = {}) =>
  (await world.http.call('listScheduled', { token: who.token, query })).ok();
const cancel = (who: Person, scheduledId: string) => world.http.call('cancelScheduled', { token: who.token, params: { scheduledId } });
const patience = { timeoutMs: 20_000, intervalMs: 50 };

describe('a scheduled message', () => {
  it('waits in its list, is sent once when its time comes, and is then answered like any send', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const quoted = await said(bob, id, 'question');
    const sendAt = later();
    const more = { sendAt, clientMsgId: 'later', replyTo: quoted, mentions: [bob.id], expiresIn: 3_600 };
    const accepted = (await send(ann, id, 'answer', more)).ok(202);
    expect(accepted).toEqual({ scheduledId: expect.any(String), sendAt });
    // Again while it waits: the same.
    expect((await send(ann, id, 'answer', more)).ok(202)).toEqual(accepted);
    (await send(ann, id, 'other', more)).refused('client_msg_id_reused');
    expect((await scheduled(ann)).items).toEqual([
      {
        id: accepted.scheduledId,
        conversationId: id,
        clientMsgId: 'later',
        type: 'message',
        body: { text: 'answer' },
        sendAt,
        createdAt: expect.any(String),
      },
    ]);
    expect((await scheduled(bob)).items).toEqual([]);
    expect((await world.entries(bob, id)).head).toBe(quoted);
    const device = await world.device(bob);
    const due = await letCome(world.system.database, id);
    const entry = await waitFor('the message', () => entryOf(world, bob, id, quoted + 1), patience);
    expect(entry).toMatchObject({
      senderId: ann.id,
      clientMsgId: 'later',
      body: { text: 'answer' },
      mentions: [bob.id],
      replyTo: { seq: quoted, excerpt: 'question' },
      expiresAt: expect.any(String),
    });
    expect(Date.parse(entry.createdAt ?? '')).toBeGreaterThanOrEqual(due);
    await device.reach(`c/${id}`, entry.seq);
    await waitFor('the list to be empty', async () => (await scheduled(ann)).items.length === 0, patience);
    const again = await send(ann, id, 'answer', more);
    expect([again.status, again.ok(200).seq]).toEqual([200, entry.seq]);
    (await cancel(ann, accepted.scheduledId)).refused('not_found');
    expect((await world.entries(bob, id)).head).toBe(entry.seq);
  });

  it('never moves the sender`s read position, and counts as its own', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    (await send(ann, id, 'later', { sendAt: later() })).ok(202);
    await letCome(world.system.database, id);
    const seq = await waitFor('the message', async () => (await entryOf(world, bob, id, 2))?.seq, patience);
    expect(await world.head(ann, id)).toMatchObject({ readSeq: 1, unread: 0 });
    expect(await world.head(bob, id)).toMatchObject({ readSeq: 1, unread: 1 });
    expect((await mark(ann, id, seq)).ok()).toEqual({ readSeq: seq, unread: 0 });
  });

  it('is not sent once it was cancelled, by its sender alone', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const sendAt = later();
    const gone = (await send(ann, id, 'never', { sendAt, clientMsgId: 'gone' })).ok(202).scheduledId;
    const stays = (await send(ann, id, 'this', { sendAt, clientMsgId: 'stays' })).ok(202).scheduledId;
    (await cancel(bob, gone)).refused('not_found');
    (await cancel(ann, randomUUID())).refused('not_found');
    (await cancel(ann, 'x')).refused('invalid_request');
    expect((await cancel(ann, gone)).ok()).toEqual({ changed: true });
    expect((await scheduled(ann)).items.map((item) => item.id)).toEqual([stays]);
    await letCome(world.system.database, id);
    const entry = await waitFor('the other message', () => entryOf(world, bob, id, 2), patience);
    expect(entry).toMatchObject({ clientMsgId: 'stays' });
    // The next one that falls due is sent after all that was due before it.
    (await send(ann, id, 'last', { sendAt: later(), clientMsgId: 'last' })).ok(202);
    await letCome(world.system.database, id);
    const next = await waitFor('the last message', () => entryOf(world, bob, id, 3), patience);
    expect(next).toMatchObject({ clientMsgId: 'last' });
    // A cancelled id is free again.
    expect((await send(ann, id, 'now', { clientMsgId: 'gone' })).ok(201).seq).toBe(4);
  });

  it('is judged again at its time; what was refused stays listed with the reason until it is taken away', async () => {
    const [ann, bob, cem] = await world.people('ann', 'bob', 'cem');
    const { id } = await world.create(ann, { members: [bob, cem] });
    (await send(bob, id, 'muted', { sendAt: later() })).ok(202);
    (await send(cem, id, 'left', { sendAt: later() })).ok(202);
    (await mute(ann, id, bob)).ok();
    (await remove(ann, id, cem)).ok();
    await letCome(world.system.database, id);
    const failure = (who: Person) =>
      waitFor(
        'the refusal',
        async () => {
          const [item] = (await scheduled(who)).items;
          return item?.failed ? item : undefined;
        },
        patience,
      );
    const refused = await failure(bob);
    expect(refused.failed).toBe('muted');
    expect((await failure(cem)).failed).toBe('not_found');
    (await unmute(ann, id, bob)).ok();
    expect((await world.entries(ann, id)).entries.filter(({ type }) => type === 'message')).toEqual([]);
    expect((await cancel(bob, refused.id)).ok()).toEqual({ changed: true });
    expect((await scheduled(bob)).items).toEqual([]);
  });

  it.each([
    ['in the past', -60],
    ['in ten years', 10 * 365 * 24 * 3_600],
    ['a day beyond the bound', 367 * 24 * 3_600],
  ])('%s is refused', async (_, seconds) => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await send(ann, id, 'x', { sendAt: inSeconds(seconds) })).refused('invalid_request');
    });
    expect((await scheduled(ann)).items).toEqual([]);
  });

  it('is refused where a send would be, with a time that is none, and by its bounds', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { type: 'channel', members: [bob] });
    const sendAt = inSeconds(3_600);
    await leavesAllAsItWas(world.system.database, id, async () => {
      (await send(eve, id, 'x', { sendAt })).refused('not_found');
      for (const wrong of ['soon', '2099-01-01', '2099-01-01T00:00:00', 7, '9999999-01-01T00:00:00Z']) {
        (await send(ann, id, 'x', { sendAt: wrong })).refused('invalid_request');
      }
      (await send(ann, id, { text: 'x'.repeat(16 * 1024) }, { sendAt })).refused('too_large');
    });
    // A year ahead is within the bound, and any offset is one instant.
    const far = inSeconds(365 * 24 * 3_600);
    expect((await send(ann, id, 'far', { sendAt: far })).ok(202).sendAt).toBe(far);
    const abroad = new Date(Date.parse(sendAt) + 3_600_000).toISOString().replace('Z', '+01:00');
    expect((await send(ann, id, 'x', { sendAt: abroad })).ok(202).sendAt).toBe(sendAt);
    for (const n of range(3, 5)) (await send(ann, id, `${n}`, { sendAt })).ok(202);
    (await send(ann, id, 'one more', { sendAt })).refused('limit_reached');
    const first = await scheduled(ann, { limit: 2 });
    expect(first.items).toHaveLength(2);
    const rest = await scheduled(ann, { cursor: first.nextCursor ?? '' });
    expect(new Set([...first.items, ...rest.items].map((item) => item.id)).size).toBe(5);
    (await cancel(ann, first.items[0]?.id ?? '')).ok();
    (await send(ann, id, 'one more', { sendAt })).ok(202);
  });
});

describe('over a restart', () => {
  it('what waited is sent once by whoever is there, also by two at once', async () => {
    await using database = await createTestDatabase();
    const apps = [await seedApp(database, 'one', { users: ['ann', 'bob'] }), await seedApp(database, 'two')] as const;
    const ann = { id: 'ann', token: apps[0].token('ann') };
    let id = '';
    {
      await using first = await startSystem({ database, apps });
      const http = httpClient(first.url);
      const acts = actsOn(() => http);
      id = (await http.call('createConversation', { token: ann.token, body: { type: 'group', members: ['bob'] } })).ok(201).conversation.id;
      for (const n of range(1, 10)) (await acts.send(ann, id, `${n}`, { sendAt: later(), clientMsgId: `s${n}` })).ok(202);
    }
    await using second = await startSystem({ database, apps });
    await using third = await startSystem({ database, apps });
    await letCome(database, id);
    const https = [httpClient(second.url), httpClient(third.url)] as const;
    const log = async (n: 0 | 1) =>
      (await https[n].call('listEntries', { token: ann.token, params: { conversationId: id } })).ok().entries.slice(1);
    const entries = await waitFor(
      'all ten',
      async () => {
        const sent = await log(0);
        return sent.length >= 10 && sent;
      },
      patience,
    );
    expect(entries.map(({ clientMsgId }) => String(clientMsgId)).toSorted()).toEqual(
      range(1, 10)
        .map((n) => `s${n}`)
        .toSorted(),
    );
    await waitFor(
      'nothing to wait any more',
      async () => (await https[1].call('listScheduled', { token: ann.token })).ok().items.length === 0,
      patience,
    );
    expect(await log(1)).toHaveLength(10);
  }, 60_000);
});
