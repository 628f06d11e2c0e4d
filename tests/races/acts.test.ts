import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { later, letCome } from '../protocol/support/scheduled.ts';
import { runTogether } from '../support/barrier.ts';
import { newCanary, tablesWith } from '../support/canary.ts';
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

const pageOf = async (who: Person, id: string, index = 0) =>
  (await arena.http(index).call('listEntries', { token: who.token, params: { conversationId: id }, query: { after: 0, limit: 200 } })).ok();

describe('a redaction at the same time as edits, reactions and pins', () => {
  it('leaves no content and no row of theirs, whichever came first', async () => {
    for (let round = 0; round < 5; round += 1) {
      const canary = newCanary();
      const [ann, bob] = await arena.people('ann', 'bob');
      const id = await arena.group(ann, [bob]);
      const seq = await on(0).said(ann, id, canary);
      const reply = await on(0).said(bob, id, 'a reply', { replyTo: seq });
      const replies = values(
        await runTogether<{ readonly status: number; refused(code: 'message_redacted'): unknown }>([
          ...[0, 1, 2, 3].map((n) => () => on(n).edit(ann, id, seq, `${canary} ${n}`)),
          ...[0, 1].flatMap((n) => [() => on(n).react(ann, id, seq, '👍'), () => on(n).react(bob, id, seq, '🎉')]),
          () => on(1).pin(ann, id, seq),
          () => on(round).redact(ann, id, seq),
        ]),
      );
      for (const answer of replies) if (answer.status !== 200) answer.refused('message_redacted');
      expect(replies.at(-1)?.status).toBe(200);
      expect(await tablesWith(arena.first.database, canary)).toEqual([]);
      const log = await soundLog(arena.first, id);
      const redacted = log.find(({ type }) => type === 'message.redacted')?.seq ?? 0;
      expect(
        log.filter((entry) => entry.seq > redacted),
        'nothing acts on it afterwards',
      ).toEqual([]);
      for (const index of [0, 1]) {
        const { entries, mine } = await pageOf(bob, id, index);
        expect(entries.find((entry) => entry.seq === seq)).toMatchObject({ redacted: true, body: null, stateSeq: redacted });
        expect(entries.find((entry) => entry.seq === seq)).not.toHaveProperty('reactions');
        expect(entries.find((entry) => entry.seq === reply)?.replyTo).toMatchObject({ excerpt: '', redacted: true });
        expect([mine, JSON.stringify(entries).includes(canary)]).toEqual([{}, false]);
      }
      for (const table of ['reaction', 'pin', 'entry_version']) {
        expect(await arena.first.database.query(`select 1 from ${table} where conversation_id = $1`, [id]), table).toEqual([]);
      }
    }
  });

  it('by many at once is one entry', async () => {
    const [ann, bob] = await arena.people('ann', 'bob');
    const id = await arena.group(ann, [bob]);
    const seq = await on(0).said(bob, id, 'x');
    const replies = values(await runTogether(Array.from({ length: 20 }, (_, n) => () => on(n).redact(n % 4 < 2 ? ann : bob, id, seq))));
    expect(replies.filter((reply) => reply.ok().changed)).toHaveLength(1);
    expect(await soundLog(arena.first, id)).toHaveLength(3);
  });
});

describe('the same emoji by fifty users at once', () => {
  it('is counted exactly: what is folded, what is listed and the rows agree, also while some take it back', async () => {
    const names = Array.from({ length: 50 }, (_, n) => `user${n}`);
    const [ann] = await arena.people('ann');
    const crowd = (await arena.people(...names)) as readonly Person[];
    const id = await arena.group(ann, crowd);
    const seq = await on(0).said(ann, id, 'x');
    const added = values(
      await runTogether(crowd.flatMap((who, n) => [() => on(n).react(who, id, seq, '👍'), () => on(n + 1).react(who, id, seq, '👍')])),
    );
    expect(added.filter((reply) => reply.ok().changed)).toHaveLength(50);
    const check = async (count: number) => {
      const rows = await arena.first.database.query<{ user_id: string }>(
        `select user_id from reaction where conversation_id = $1 and seq = $2 and emoji = '👍' order by created_at, user_id`,
        [id, seq],
      );
      expect(rows).toHaveLength(count);
      const { entries, mine } = await pageOf(crowd[0] ?? ann, id, 1);
      const [folded] = entries.find((entry) => entry.seq === seq)?.reactions ?? [];
      expect(folded).toMatchObject({ emoji: '👍', count });
      expect(new Set(folded?.users)).toEqual(new Set(rows.slice(0, 10).map(({ user_id }) => user_id)));
      expect(mine[seq] ?? []).toEqual(rows.some(({ user_id }) => user_id === crowd[0]?.id) ? ['👍'] : []);
      const last = entries.findLast(({ type }) => type.startsWith('reaction.'));
      expect(last?.body).toEqual(folded);
      // Each entry says the state after it: one more or one less than the one before.
      let before = 0;
      for (const entry of entries.filter(({ type }) => type.startsWith('reaction.'))) {
        const now = Number(entry.body?.count);
        expect(now - before).toBe(entry.type === 'reaction.added' ? 1 : -1);
        before = now;
      }
    };
    await check(50);
    const mixed = crowd.map((who, n) => () => (n % 3 === 0 ? on(n).unreact(who, id, seq, '👍') : on(n).react(who, id, seq, '👍')));
    for (const reply of values(await runTogether<{ ok(): unknown }>(mixed))) reply.ok();
    await check(50 - 17);
  });

  it('of different kinds at the bound: exactly fifty get in', async () => {
    const [ann] = await arena.people('ann');
    const id = await arena.group(ann, []);
    const seq = await on(0).said(ann, id, 'x');
    const faces = Array.from({ length: 60 }, (_, n) => String.fromCodePoint(0x1f600 + n));
    const replies = values(await runTogether(faces.map((emoji, n) => () => on(n).react(ann, id, seq, emoji))));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(50);
    for (const reply of replies) if (reply.status !== 200) reply.refused('limit_reached');
    expect((await pageOf(ann, id)).entries.find((entry) => entry.seq === seq)?.reactions).toHaveLength(50);
  });
});

describe('pins at the bound', () => {
  it('at once: exactly a hundred get in', async () => {
    const [ann] = await arena.people('ann');
    const id = await arena.group(ann, []);
    const seqs: number[] = [];
    for (let n = 0; n < 110; n += 1) seqs.push(await on(n).said(ann, id, `m${n}`));
    for (const seq of seqs.slice(0, 95)) (await on(seq).pin(ann, id, seq)).ok();
    const replies = values(await runTogether(seqs.slice(95).map((seq, n) => () => on(n).pin(ann, id, seq))));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(5);
    for (const reply of replies) if (reply.status !== 200) reply.refused('limit_reached');
    const rows = await arena.first.database.query('select 1 from pin where conversation_id = $1', [id]);
    expect(rows).toHaveLength(100);
    expect((await arena.http(1).call('listPins', { token: ann.token, params: { conversationId: id } })).ok().items).toHaveLength(100);
  }, 60_000);
});

describe('edits of one message at once', () => {
  it('with the same ifStateSeq: exactly one wins, and its words stand', async () => {
    const [ann] = await arena.people('ann');
    const id = await arena.group(ann, []);
    const seq = await on(0).said(ann, id, 'original');
    let state = 0;
    for (let round = 0; round < 4; round += 1) {
      const replies = values(
        await runTogether(Array.from({ length: 16 }, (_, n) => () => on(n).edit(ann, id, seq, `${round}-${n}`, { ifStateSeq: state }))),
      );
      const winners = replies.flatMap((reply, n) => (reply.status === 200 ? [{ n, seq: reply.ok().seq ?? 0 }] : []));
      expect(winners).toHaveLength(1);
      for (const reply of replies) if (reply.status !== 200) reply.refused('state_changed');
      state = winners[0]?.seq ?? 0;
      const entry = (await pageOf(ann, id, round)).entries.find((one) => one.seq === seq);
      expect(entry).toMatchObject({ stateSeq: state, body: { text: `${round}-${winners[0]?.n}` } });
    }
    expect(await soundLog(arena.first, id)).toHaveLength(6);
  });

  it('without it: all get in, the last one stands, and only it keeps its words', async () => {
    const [ann] = await arena.people('ann');
    const id = await arena.group(ann, []);
    const seq = await on(0).said(ann, id, 'original');
    const replies = values(await runTogether(Array.from({ length: 16 }, (_, n) => () => on(n).edit(ann, id, seq, `v${n}`))));
    expect(replies.filter((reply) => reply.ok().changed)).toHaveLength(16);
    const { entries } = await pageOf(ann, id);
    const edits = entries.filter(({ type }) => type === 'message.edited');
    expect(edits.slice(0, -1).every(({ body }) => body === null)).toBe(true);
    expect(entries.find((entry) => entry.seq === seq)).toMatchObject({ body: edits.at(-1)?.body, stateSeq: edits.at(-1)?.seq });
    const params = { conversationId: id, seq: String(seq) };
    const { versions } = (await arena.http(1).call('listVersions', { token: arena.first.app.serverKey, params })).ok();
    expect(versions).toHaveLength(17);
  });
});

describe('ownership that changes at once', () => {
  it('transfer against leaving: there is always an owner, and the log agrees', async () => {
    for (let round = 0; round < 6; round += 1) {
      const [ann, bob, cem] = await arena.people('ann', 'bob', 'cem');
      const id = await arena.group(ann, [bob, cem]);
      const [moved, left, gone] = values(
        await runTogether<{ readonly status: number }>([
          () => on(0).transfer(ann, id, bob),
          () => on(1).remove(ann, id, 'me'),
          () => on(round).remove(bob, id, 'me'),
        ]),
      );
      const roles = await soundMembers(arena.first, id);
      expect(
        [...roles.values()].filter((role) => role === 'owner').length,
        JSON.stringify([moved, left, gone].map((one) => one?.status)),
      ).toBe(1);
      // Whoever was told that it left is gone, and nobody else is.
      expect(roles.has(ann.id)).toBe(left?.status !== 200);
      expect(roles.has(bob.id)).toBe(gone?.status !== 200);
    }
  });

  it('transfer to two at once: one of them is owner', async () => {
    for (let round = 0; round < 6; round += 1) {
      const [ann, bob, cem] = await arena.people('ann', 'bob', 'cem');
      const id = await arena.group(ann, [bob, cem]);
      const replies = values(await runTogether([bob, cem].map((to, n) => () => on(n).transfer(ann, id, to))));
      expect(replies.map(({ status }) => status).toSorted()).toEqual([200, 403]);
      const roles = await soundMembers(arena.first, id);
      expect([...roles.values()].toSorted()).toEqual(['member', 'moderator', 'owner']);
    }
  });
});

describe('a scheduled message that is cancelled at its time', () => {
  it('is either sent or cancelled, never both and never neither', async () => {
    const [ann] = await arena.people('ann');
    const id = await arena.group(ann, []);
    const sendAt = later();
    const ids: string[] = [];
    for (let n = 0; n < 20; n += 1) {
      const reply = await on(n).send(ann, id, `later ${n}`, { sendAt, clientMsgId: `later-${n}` });
      ids.push(reply.ok(202).scheduledId);
    }
    const due = await letCome(arena.first.database, id, 500);
    // Each is cancelled over and over from two sides around its time, until it is one or the other.
    const cancels = ids.map((scheduledId, n) => async () => {
      await waitFor('its time', () => Date.now() >= due - 100 + n * 20, { intervalMs: 1 });
      const replies = await Promise.all(
        [0, 1].map((index) => arena.http(index).call('cancelScheduled', { token: ann.token, params: { scheduledId } })),
      );
      let changed = 0;
      for (const reply of replies) {
        if (reply.status === 404) reply.refused('not_found');
        else if (reply.ok().changed) changed += 1;
      }
      expect(changed).toBeLessThanOrEqual(1);
      return changed === 1;
    });
    const cancelled = values(await runTogether(cancels));
    await waitFor(
      'nothing to wait any more',
      async () => (await arena.http(0).call('listScheduled', { token: ann.token })).ok().items.length === 0,
      {
        timeoutMs: 20_000,
      },
    );
    const sent = await waitFor('those that were not cancelled', async () => {
      const found = new Set((await soundLog(arena.first, id)).flatMap(({ clientMsgId }) => (clientMsgId === null ? [] : [clientMsgId])));
      return found.size >= cancelled.filter((was) => !was).length && found;
    });
    expect(ids.map((_, n) => sent.has(`later-${n}`))).toEqual(cancelled.map((was) => !was));
  }, 60_000);
});
