import { mergeHistory, viewOf } from '@nudge/client';
import { type ErrorCode, isContentType, type RouteName } from '@nudge/types';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Request } from '../protocol/support/http.ts';
import { type Person, useWorld } from '../protocol/support/world.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Act, expectedOf, naiveMessages, shownOf } from './support/naive-acts.ts';
import { ViewDevice } from './support/view-device.ts';

/**
 * Everything a conversation does, at random, by four people with two devices each that pull whenever they like and take pages over
 * later still. In the end every device's folded view equals a fresh one and what a naive reader makes of the acknowledged acts, and unread
 * and mention counts equal a recount. A failing run prints its seed and path; give them to `fc.assert` to replay it.
 */
const PEOPLE = 4;
const DEVICES = 2;
const RUNS = Number(process.env.MODEL_RUNS ?? 10);
const emojis = ['👍', '🎉', '❤️'] as const;

const world = useWorld({
  env: { LIMIT_WRITES_PER_10_SECONDS: '100000', LIMIT_READS_PER_10_SECONDS: '100000', LIMIT_MARKS_PER_10_SECONDS: '100000' },
});

const who = fc.nat({ max: PEOPLE - 1 });
const device = fc.nat({ max: DEVICES - 1 });
/** How far below the head: the newest are the most popular. */
const back = fc.nat({ max: 12 });
/** Mostly those who are there: naming a stranger refuses the whole message. */
const named = fc.oneof({ weight: 3, arbitrary: fc.subarray([0, 1]) }, { weight: 1, arbitrary: fc.subarray([0, 1, 2, 3]) });
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('send'), who, reply: fc.option(back), named, expires: fc.nat({ max: 9 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('edit'), who, back, named }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('react', 'unreact'), who, back, emoji: fc.constantFrom(...emojis) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('redact'), who, back }) },
  // Mostly by the owner, since who has joined plainly may not.
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('pin', 'unpin'), who: fc.constantFrom(0, 0, 0, 1), back: fc.nat({ max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('read', 'delivered'), who, back }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('add', 'add', 'add', 'remove', 'mute', 'unmute', 'unmute', 'promote'),
      who: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('title', 'freeze', 'thaw', 'thaw', 'thaw'), who }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constantFrom('ask', 'history', 'take', 'take', 'restart'),
      who,
      device,
      limit: fc.integer({ min: 1, max: 9 }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

type Reaction = Extract<Act, { kind: 'react' | 'unreact' }>;

/** What people are told when they try what they may not, or what is no longer possible. */
const refusals: readonly ErrorCode[] = ['not_found', 'forbidden', 'muted', 'frozen', 'message_redacted', 'user_unknown', 'invalid_request'];

interface Row {
  readonly seq: number;
  readonly type: string;
  readonly senderId: string;
  readonly countable: boolean;
  readonly mentions: string[] | null;
  readonly gone: boolean;
}
interface MemberRow {
  readonly userId: string;
  readonly readSeq: number;
  readonly leftSeq: number | null;
}

/** One run: its people and devices, and what the server acknowledged. */
class Run {
  readonly people: readonly Person[];
  readonly conversationId: string;
  readonly devices: readonly (readonly ViewDevice[])[];
  readonly acts = new Map<number, Act>();
  #head = 1;
  #next = 0;

  constructor(people: readonly Person[], conversationId: string) {
    this.people = people;
    this.conversationId = conversationId;
    this.devices = people.map((person) => Array.from({ length: DEVICES }, () => new ViewDevice(world.http, person, conversationId)));
  }

  async perform(each: Step): Promise<void> {
    const person = this.#person(each.who);
    if ('device' in each) return this.#move(each);
    const seq = 'back' in each ? this.#target(each.back) : this.#head;
    const params = { conversationId: this.conversationId };
    const on = { ...params, seq: String(seq) };
    const member = { ...params, userId: person.id };
    const owner = this.#person(0);
    const text = `${each.do} ${this.#next++}`;
    switch (each.do) {
      case 'send': {
        const mentions = this.#names(each.named);
        const replyTo = each.reply === null ? undefined : this.#target(each.reply);
        const body = { clientMsgId: text, body: { text }, mentions, replyTo, ...(each.expires === 0 ? { expiresIn: 1 } : {}) };
        const act = { kind: 'send', userId: person.id, text, mentions, ...(replyTo === undefined ? {} : { replyTo }) } as const;
        return this.#act(person, 'sendMessage', { params, body }, act);
      }
      case 'edit': {
        const mentions = this.#names(each.named);
        return this.#act(
          this.#author(seq, person),
          'editMessage',
          { params: on, body: { body: { text }, mentions } },
          { kind: 'edit', target: seq, text, mentions },
        );
      }
      case 'react': {
        const { emoji } = each;
        return this.#act(person, 'addReaction', { params: { ...on, emoji } }, { kind: 'react', target: seq, userId: person.id, emoji });
      }
      case 'unreact': {
        const { target, userId, emoji } = this.#reaction(each.back) ?? { target: seq, userId: person.id, emoji: each.emoji };
        const by = this.people.find(({ id }) => id === userId) ?? person;
        const from = { ...params, seq: String(target), emoji };
        return this.#act(by, 'removeReaction', { params: from }, { kind: 'unreact', target, userId: by.id, emoji });
      }
      case 'redact':
        return this.#act(person, 'redactMessage', { params: on }, { kind: 'redact', target: seq });
      case 'pin':
        return this.#act(person, 'pinMessage', { params: on }, { kind: 'pin', target: seq });
      case 'unpin': {
        const target = this.#pinned(each.back) ?? seq;
        return this.#act(person, 'unpinMessage', { params: { ...params, seq: String(target) } }, { kind: 'unpin', target });
      }
      case 'read':
        return this.#act(person, 'markRead', { params, body: { seq } });
      case 'delivered':
        return this.#act(person, 'markDelivered', { params, body: { seq } });
      case 'add':
        return this.#act(owner, 'putMember', { params: member });
      case 'promote':
        return this.#act(owner, 'putMember', { params: member, body: { role: 'moderator' } });
      case 'remove':
        return this.#act(owner, 'removeMember', { params: member });
      case 'mute':
        return this.#act(owner, 'muteMember', { params: member });
      case 'unmute':
        return this.#act(owner, 'unmuteMember', { params: member });
      case 'title':
        return this.#act(person, 'updateConversation', { params, body: { title: text } });
      case 'freeze':
      case 'thaw':
        return this.#act(owner, 'updateConversation', { params, body: { frozen: each.do === 'freeze' } });
    }
  }

  async #move(each: Extract<Step, { device: number }>): Promise<void> {
    const mine = this.devices[each.who]?.[each.device];
    if (mine === undefined) throw new Error('no such device');
    if (each.do === 'take') mine.take();
    else if (each.do === 'restart') await mine.restart(each.limit);
    else await mine.ask(each.do === 'history', each.limit);
  }

  /** Tries it; an act that was done is remembered under its seq. */
  async #act(person: Person, route: RouteName, request: Request, act?: Act): Promise<void> {
    const reply = await world.http.call(route, { ...request, token: person.token });
    const problem = reply.json as { code?: ErrorCode };
    if (problem.code !== undefined && reply.status >= 400) {
      expect(refusals, `${route}: ${reply.text}`).toContain(problem.code);
      return;
    }
    const { seq } = reply.json as { seq?: number | null };
    if (typeof seq !== 'number') return;
    this.#head = Math.max(this.#head, seq);
    if (act !== undefined) {
      expect(this.acts.has(seq), `${seq} was given out once`).toBe(false);
      this.acts.set(seq, act);
    }
  }

  /** One of the last messages; now and then an entry of another kind. */
  #target(back: number): number {
    const sends = [...this.acts].flatMap(([seq, { kind }]) => (kind === 'send' ? [seq] : [])).sort((a, b) => b - a);
    return sends[back] ?? Math.max(1, this.#head - back);
  }

  /** One of the reactions that are there, newest first; now and then none, so that what is not there is taken away too. */
  #reaction(back: number): Reaction | undefined {
    const there = new Map<string, Reaction>();
    for (const act of this.#inOrder()) {
      if (act.kind !== 'react' && act.kind !== 'unreact') continue;
      const name = `${act.target} ${act.userId} ${act.emoji}`;
      if (act.kind === 'react') there.set(name, act);
      else there.delete(name);
    }
    return [...there.values()].reverse()[back % (there.size + 2)];
  }

  /** The same of pinned messages. */
  #pinned(back: number): number | undefined {
    const there = new Set<number>();
    for (const act of this.#inOrder()) {
      if (act.kind === 'pin') there.add(act.target);
      else if (act.kind === 'unpin' || act.kind === 'redact') there.delete(act.target);
    }
    return [...there].reverse()[back % (there.size + 2)];
  }

  #inOrder(): Act[] {
    return [...this.acts].sort(([a], [b]) => a - b).map(([, act]) => act);
  }

  /** Who sent the message: nobody else may edit it, which the table of permissions tries. */
  #author(seq: number, otherwise: Person): Person {
    const act = this.acts.get(seq);
    return this.people.find(({ id }) => act?.kind === 'send' && act.userId === id) ?? otherwise;
  }

  #person(index: number): Person {
    const person = this.people[index];
    if (person === undefined) throw new Error('no such person');
    return person;
  }

  #names(indices: readonly number[]): string[] {
    return indices.map((index) => this.#person(index).id);
  }
}

/** Entries as PostgreSQL has them; `gone`: redacted or expired. */
const rowsOf = (conversationId: string): Promise<Row[]> =>
  world.system.database.query<Row>(
    `select seq::int as seq, type, sender_id as "senderId", countable, mentions,
       redacted_at is not null or expires_at <= now() as gone
     from entry where conversation_id = $1 order by seq`,
    [conversationId],
  );

async function verify(run: Run, history: 'full' | 'since_join'): Promise<void> {
  const { conversationId } = run;
  await waitFor('what expires to be over', async () => {
    const [row] = await world.system.database.query<{ open: number }>(
      'select count(*)::int as open from entry where conversation_id = $1 and expires_at > now()',
      [conversationId],
    );
    return row?.open === 0;
  });
  const rows = await rowsOf(conversationId);
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
  const members = await world.system.database.query<MemberRow>(
    'select user_id as "userId", read_seq::int as "readSeq", left_seq::int as "leftSeq" from member where conversation_id = $1',
    [conversationId],
  );
  const naive = naiveMessages(run.acts);

  for (const [index, person] of run.people.entries()) {
    const member = members.find(({ userId }) => userId === person.id);
    const gone = member === undefined || member.leftSeq !== null;
    for (const [place, each] of (run.devices[index] ?? []).entries()) {
      const name = `${person.id}, device ${place}`;
      await each.settle();
      expect(each.view === undefined, `${name} sees something`).toBe(gone);
      if (each.view === undefined) continue;
      const fresh = await wholeFreshView(person, conversationId);
      expect(each.view, `${name} equals a fresh device`).toEqual(fresh);
      expect(fresh.cursor).toBe(rows.length);
      for (const entry of fresh.entries) {
        const row = rows[entry.seq - 1];
        const message = naive.get(entry.seq);
        if (message === undefined || row === undefined) continue;
        expect(isContentType(entry.type)).toBe(true);
        if (row.gone) expect(entry, `${name}: tombstone ${entry.seq}`).toMatchObject({ redacted: true, body: null });
        else expect(shownOf(entry), `${name}: message ${entry.seq}`).toEqual(expectedOf(message));
        if (row.gone)
          for (const field of ['replyTo', 'mentions', 'reactions', 'pinned', 'editedAt']) expect(entry).not.toHaveProperty(field);
        const act = run.acts.get(entry.seq);
        if (!row.gone && act?.kind === 'send' && act.replyTo !== undefined && act.replyTo >= fresh.oldestSeq) {
          const quoted = naive.get(act.replyTo);
          const quotedGone = rows[act.replyTo - 1]?.gone === true;
          expect(entry.replyTo, `${name}: quotation in ${entry.seq}`).toMatchObject(
            quotedGone ? { seq: act.replyTo, excerpt: '', redacted: true } : { seq: act.replyTo, excerpt: quoted?.text ?? '' },
          );
        }
      }
    }
    if (gone || member === undefined) continue;
    const head = await world.head(person, conversationId);
    const others = rows.filter(({ countable, seq, senderId }) => countable && seq > member.readSeq && senderId !== person.id);
    const mentions = others.filter((row) => !row.gone && row.mentions?.includes(person.id) === true);
    expect(head, `counts of ${person.id} (${history})`).toMatchObject({
      readSeq: member.readSeq,
      unread: others.length,
      mentions: mentions.length,
    });
  }
}

/** Everything a device that was never there before sees. */
async function wholeFreshView(person: Person, conversationId: string) {
  let view = viewOf(person.id, await world.entries(person, conversationId, { limit: 200 }));
  for (let page = await older(); page !== undefined; page = await older()) view = mergeHistory(view, page);
  return view;

  async function older() {
    const first = view.entries[0]?.seq ?? 1;
    return first <= view.oldestSeq ? undefined : world.entries(person, conversationId, { before: first, min: view.cursor, limit: 200 });
  }
}

test('every folded view equals a fresh one and the acknowledged acts, and every count a recount', async () => {
  const kinds = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 40, maxLength: 120, size: 'max' }),
      fc.constantFrom('full', 'since_join'),
      async (steps, history) => {
        const people = await world.people('ann', 'ben', 'cem', 'dee');
        const [owner, ...rest] = people;
        const { id } = await world.create(owner, { members: rest, history });
        const run = new Run(people, id);
        for (let sent = 0; sent < 4; sent += 1) await run.perform({ do: 'send', who: sent, reply: null, named: [], expires: 9 });
        // One of what needs another before it, so that no seed does without.
        for (const act of ['pin', 'unpin'] as const) await run.perform({ do: act, who: 0, back: 0 });
        for (const act of ['react', 'unreact'] as const) await run.perform({ do: act, who: 1, back: 0, emoji: emojis[0] });
        for (const each of steps) await run.perform(each);
        await verify(run, history);
        for (const { kind } of run.acts.values()) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      },
    ),
    { numRuns: RUNS, endOnFailure: false },
  );
  for (const kind of ['send', 'edit', 'redact', 'pin', 'unpin', 'react', 'unreact']) expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(0);
}, 180_000);
