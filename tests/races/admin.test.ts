import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTogether } from '../support/barrier.ts';
import { newCanary, tablesWith } from '../support/canary.ts';
import { through, values } from './support/acts.ts';
import { type Arena, createArena, type Person, soundLog } from './support/arena.ts';

let arena: Arena;
beforeAll(async () => {
  arena = await createArena();
});
afterAll(async () => {
  await arena?.[Symbol.asyncDispose]();
});

const acts = [0, 1].map((index) => through(() => arena, index)) as [ReturnType<typeof through>, ReturnType<typeof through>];
const on = (index: number) => acts[index % 2 === 0 ? 0 : 1];

const entryParams = (id: string, seq: number) => ({ conversationId: id, seq: String(seq) });

/** What the integrator's server does, through the instance at `index`. */
const admin = (index: number) => {
  const token = arena.first.app.serverKey;
  const http = arena.http(index);
  return {
    edit: (id: string, seq: number, text: string, more: object = {}) =>
      http.call('adminEditMessage', { token, params: entryParams(id, seq), body: { body: { text }, ...more } }),
    redact: (id: string, seq: number) => http.call('adminRedactMessage', { token, params: entryParams(id, seq) }),
    send: (id: string, sender: Person, clientMsgId: string, text: string) =>
      http.call('adminSendMessage', { token, params: { conversationId: id }, body: { senderId: sender.id, clientMsgId, body: { text } } }),
    versions: (id: string, seq: number) => http.call('listVersions', { token, params: entryParams(id, seq) }),
  };
};

const messageOf = async (who: Person, id: string, seq: number, index: number) => {
  const query = { after: 0, limit: 200 };
  const { entries } = (await arena.http(index).call('listEntries', { token: who.token, params: { conversationId: id }, query })).ok();
  return entries.find((entry) => entry.seq === seq);
};

async function talk(): Promise<{ ann: Person; bob: Person; id: string }> {
  const [ann, bob] = await arena.people('ann', 'bob');
  return { ann, bob, id: await arena.group(ann, [bob]) };
}

describe('edits by the integrator and by the author at once', () => {
  it('are all kept in the order of the log, and the last one stands', async () => {
    const { ann, bob, id } = await talk();
    const seq = await on(0).said(bob, id, 'original');
    const texts = Array.from({ length: 16 }, (_, n) => `${n % 4 < 2 ? 'author' : 'integrator'} ${n}`);
    const replies = values(
      await runTogether<{ ok(): { readonly seq: number | null } }>(
        texts.map((text, n) => () => (n % 4 < 2 ? on(n).edit(bob, id, seq, text) : admin(n).edit(id, seq, text))),
      ),
    );
    const inOrder = replies
      .map((reply, n) => ({ at: reply.ok().seq ?? 0, text: texts[n] ?? '' }))
      .toSorted((one, other) => one.at - other.at);
    const edits = (await soundLog(arena.first, id)).filter(({ type }) => type === 'message.edited');
    expect(edits.map((edit) => [edit.seq, edit.senderId])).toEqual(
      inOrder.map(({ at, text }) => [at, text.startsWith('author') ? bob.id : '$system']),
    );
    expect(edits.slice(0, -1).every(({ body }) => body === null)).toBe(true);
    const last = inOrder.at(-1);
    for (const index of [0, 1]) {
      expect(await messageOf(ann, id, seq, index)).toMatchObject({ senderId: bob.id, body: { text: last?.text }, stateSeq: last?.at });
    }
    const { versions } = (await admin(1).versions(id, seq)).ok();
    expect(versions.map(({ body }) => body)).toEqual(['original', ...inOrder.map(({ text }) => text)].map((text) => ({ text })));
  });

  it('with the same ifStateSeq: one of them wins, and its words stand', async () => {
    const { ann, bob, id } = await talk();
    for (let round = 0; round < 5; round += 1) {
      const seq = await on(round).said(bob, id, 'original');
      const replies = values(
        await runTogether<{ readonly status: number; refused(code: 'state_changed'): unknown }>(
          [0, 1, 2, 3].flatMap((n) => [
            () => on(n).edit(bob, id, seq, `author ${n}`, { ifStateSeq: 0 }),
            () => admin(n).edit(id, seq, `integrator ${n}`, { ifStateSeq: 0 }),
          ]),
        ),
      );
      const winners = replies.flatMap(({ status }, n) => (status === 200 ? [`${n % 2 === 0 ? 'author' : 'integrator'} ${n >> 1}`] : []));
      expect(winners).toHaveLength(1);
      for (const reply of replies) if (reply.status !== 200) reply.refused('state_changed');
      expect((await messageOf(ann, id, seq, round))?.body).toEqual({ text: winners[0] });
    }
  });
});

describe('a redaction by the integrator', () => {
  it('at the same time as edits, reactions and pins of members leaves no content, and nothing acts on it afterwards', async () => {
    for (let round = 0; round < 5; round += 1) {
      const canary = newCanary();
      const { ann, bob, id } = await talk();
      const seq = await on(0).said(bob, id, canary);
      const reply = await on(1).said(ann, id, 'a reply', { replyTo: seq });
      const replies = values(
        await runTogether<{ readonly status: number; refused(code: 'message_redacted'): unknown }>([
          ...[0, 1, 2, 3].map((n) => () => on(n).edit(bob, id, seq, `${canary} ${n}`)),
          ...[0, 1].map((n) => () => admin(n).edit(id, seq, `${canary} by the integrator ${n}`)),
          () => on(0).react(ann, id, seq, '👍'),
          () => on(1).pin(ann, id, seq),
          () => admin(round).redact(id, seq),
        ]),
      );
      for (const answer of replies) if (answer.status !== 200) answer.refused('message_redacted');
      expect(replies.at(-1)?.status).toBe(200);
      expect(await tablesWith(arena.first.database, canary)).toEqual([]);
      const log = await soundLog(arena.first, id);
      expect(log.at(-1)).toMatchObject({ type: 'message.redacted', senderId: '$system', target: seq });
      for (const index of [0, 1]) {
        expect(await messageOf(ann, id, seq, index)).toMatchObject({ redacted: true, body: null, stateSeq: log.at(-1)?.seq });
        expect((await messageOf(ann, id, reply, index))?.replyTo).toMatchObject({ excerpt: '', redacted: true });
      }
      expect((await admin(round).versions(id, seq)).ok().versions).toEqual([]);
    }
  });

  it('and by the author and a moderator at once is one entry', async () => {
    const { ann, bob, id } = await talk();
    const seq = await on(0).said(bob, id, 'x');
    const replies = values(
      await runTogether<{ ok(): { readonly changed: boolean } }>(
        [0, 1, 2, 3].flatMap((n) => [() => on(n).redact(bob, id, seq), () => on(n).redact(ann, id, seq), () => admin(n).redact(id, seq)]),
      ),
    );
    expect(replies.filter((reply) => reply.ok().changed)).toHaveLength(1);
    expect(await soundLog(arena.first, id)).toHaveLength(3);
  });
});

describe('a message on behalf of a member', () => {
  it('and the member`s own under the same clientMsgId are one; with another content one of the two is refused', async () => {
    const { bob, id } = await talk();
    const same = values(
      await runTogether<{ readonly status: number; seqOf(): number }>(
        [0, 1, 2, 3].flatMap((n) => [
          async () => sentAs(await on(n).send(bob, id, 'hello', { clientMsgId: 'same' })),
          async () => sentAs(await admin(n).send(id, bob, 'same', 'hello')),
        ]),
      ),
    );
    expect(new Set(same.map((reply) => reply.seqOf())).size).toBe(1);
    expect(same.filter(({ status }) => status === 201)).toHaveLength(1);
    const [own, onBehalf] = values(
      await runTogether<{ readonly status: number; refused(code: 'client_msg_id_reused'): unknown }>([
        () => on(0).send(bob, id, 'own', { clientMsgId: 'other' }),
        () => admin(1).send(id, bob, 'other', 'on behalf'),
      ]),
    );
    expect([own?.status, onBehalf?.status].toSorted()).toEqual([201, 409]);
    (own?.status === 409 ? own : onBehalf)?.refused('client_msg_id_reused');
    expect((await soundLog(arena.first, id)).map(({ type }) => type)).toEqual(['conversation.created', 'message', 'message']);
  });
});

/** The two routes answer a send under types of their own. */
function sentAs(reply: { readonly status: number; ok(): object }): { readonly status: number; seqOf(): number } {
  return {
    status: reply.status,
    seqOf() {
      const answer = reply.ok();
      if (!('seq' in answer) || typeof answer.seq !== 'number') throw new Error('the answer names no seq');
      return answer.seq;
    },
  };
}
