import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogServer } from '../fixtures/log-server.fixture.ts';
import { applyPage, expire, mergeHistory, nextExpiry, viewOf } from './fold.ts';
import { type ConversationView, entryAt, firstSeq, trimView, type ViewPage } from './view.ts';

/**
 * A viewer at any cursor, whose pages come whenever they like, against a server that works out every entry anew at each read: what the
 * viewer holds in the end is what a fresh page shows. A failing run prints its seed and path.
 */

const VIEWER = 'u1';
const users = Array.from({ length: 12 }, (_, index) => `u${index + 1}`);

type Step =
  | { do: 'send'; user: string; reply: number; text: string; expires: number; custom: boolean; mentions: string[] }
  | { do: 'edit' | 'redact' | 'pin' | 'unpin' | 'star'; target: number; text: string; mentions: string[] }
  | { do: 'react' | 'unreact'; user: string; target: number; emoji: string }
  | { do: 'crowd'; target: number; emoji: string }
  | { do: 'editOne' | 'redactOne' | 'quoteOne'; favourite: number; text: string }
  | { do: 'member'; kind: number; user: string; other: string }
  | { do: 'update'; fields: Record<string, unknown> }
  | { do: 'retain' | 'pass' | 'pull' | 'history' | 'ask' | 'askHistory' | 'deliver' | 'again' | 'trim' | 'tooLong'; count: number };

/** From the head backwards: few entries that much is done to. */
const target = fc.oneof({ arbitrary: fc.nat({ max: 30 }), weight: 1 }, { arbitrary: fc.constantFrom(3, 4, 5), weight: 1 });
/** By its own seq: the same entry again and again. */
const favourite = fc.constantFrom(2, 3, 4);
const user = fc.constantFrom(...users.slice(0, 4));
const emoji = fc.constantFrom('👍', '🎉', '🐛');
const text = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit: 'grapheme', minLength: 130, maxLength: 160 }));
const mentions = fc.subarray(users.slice(0, 3));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      do: fc.constant('send'),
      user,
      reply: fc.nat({ max: 60 }),
      text,
      expires: fc.nat({ max: 40 }),
      custom: fc.boolean(),
      mentions,
    }),
    weight: 6,
  },
  { arbitrary: fc.record({ do: fc.constantFrom('edit', 'edit', 'redact', 'pin', 'unpin', 'star'), target, text, mentions }), weight: 6 },
  { arbitrary: fc.record({ do: fc.constantFrom('react', 'react', 'unreact'), user, target, emoji }), weight: 6 },
  { arbitrary: fc.record({ do: fc.constantFrom('editOne', 'editOne', 'editOne', 'redactOne', 'quoteOne'), favourite, text }), weight: 8 },
  { arbitrary: fc.record({ do: fc.constant('crowd'), target, emoji }), weight: 1 },
  { arbitrary: fc.record({ do: fc.constant('member'), kind: fc.nat({ max: 6 }), user, other: user }), weight: 2 },
  {
    arbitrary: fc.record({
      do: fc.constant('update'),
      fields: fc.record(
        {
          title: fc.option(fc.constantFrom('a', 'b')),
          avatarUrl: fc.option(fc.constant('https://x.example/a.png')),
          metadata: fc.option(fc.constant({ a: 1 })),
          frozen: fc.boolean(),
          slowModeSeconds: fc.nat(),
          retentionSeconds: fc.nat(),
        },
        { requiredKeys: [] },
      ),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      do: fc.constantFrom(
        'pass',
        'pull',
        'pull',
        'history',
        'ask',
        'ask',
        'askHistory',
        'askHistory',
        'deliver',
        'deliver',
        'again',
        'trim',
      ),
      count: fc.oneof(fc.constantFrom(1, 2), fc.integer({ min: 1, max: 20 })),
    }),
    weight: 10,
  },
  { arbitrary: fc.record({ do: fc.constantFrom('retain', 'tooLong'), count: fc.integer({ min: 1, max: 12 }) }), weight: 1 },
);

function write(server: LogServer, each: Step): void {
  if (each.do === 'send') {
    const replyTo = server.head === 0 ? 0 : (each.reply % server.head) + 1;
    server.write({
      type: each.custom ? 'custom.note' : 'message',
      senderId: each.user,
      body: { text: each.text },
      ...(each.reply < 30 && server.log[replyTo - 1]?.type === 'message' && replyTo >= server.oldestSeq ? { replyTo } : {}),
      ...(each.expires > 20 ? { expiresAt: server.now + each.expires * 100 } : {}),
      ...(each.mentions.length === 0 ? {} : { mentions: each.mentions }),
    });
  } else if (each.do === 'member') writeMember(server, each);
  else if (each.do === 'update') server.write({ type: 'conversation.updated', senderId: '$system', body: { by: 'u1', ...each.fields } });
  else if ('favourite' in each) {
    const { favourite: seq, text: said } = each;
    if (!server.alive(seq)) return;
    if (each.do === 'quoteOne') server.write({ type: 'message', senderId: 'u2', body: { text: said }, replyTo: seq });
    else writeAct(server, { do: each.do === 'editOne' ? 'edit' : 'redact', target: seq, text: said, mentions: [] }, seq);
  } else if ('target' in each) {
    // The newest are the most popular.
    const seq = server.head - each.target;
    if (server.alive(seq)) writeAct(server, each, seq);
  }
}

function writeAct(server: LogServer, each: Extract<Step, { target: number }>, seq: number): void {
  const original = server.log[seq - 1];
  const senderId = original?.senderId ?? '';
  const reacted = (who: string, what: string) =>
    server.reactions(seq).some((reaction) => reaction.emoji === what && reaction.users.includes(who));
  const react = (who: string, type: 'reaction.added' | 'reaction.removed', what: string) => {
    if (reacted(who, what) === (type === 'reaction.added')) return;
    const at = server.write({ type, senderId: who, target: seq, body: { emoji: what } });
    const all = server.reactions(seq).find((reaction) => reaction.emoji === what)?.users ?? [];
    Object.assign(server.log[at - 1]?.body ?? {}, { count: all.length, users: all.slice(0, 10) });
  };
  if (each.do === 'react') react(each.user, 'reaction.added', each.emoji);
  else if (each.do === 'unreact') react(each.user, 'reaction.removed', each.emoji);
  else if (each.do === 'crowd') for (const who of users) react(who, 'reaction.added', each.emoji);
  else if (each.do === 'edit')
    server.write({
      type: 'message.edited',
      senderId,
      target: seq,
      body: { text: each.text },
      ...(each.mentions.length === 0 ? {} : { mentions: each.mentions }),
      ...(original?.expiresAt === undefined ? {} : { expiresAt: original.expiresAt }),
    });
  else {
    const types = { redact: 'message.redacted', pin: 'message.pinned', unpin: 'message.unpinned', star: 'message.starred' } as const;
    server.write({ type: types[each.do], senderId, target: seq, body: null });
  }
}

function writeMember(server: LogServer, { kind, user: userId, other: by }: Extract<Step, { do: 'member' }>): void {
  const until = new Date(server.now + 60_000).toISOString();
  const bodies = [
    ['member.joined', { userId, role: 'member', by }],
    ['member.left', { userId, by, reason: 'left' }],
    ['member.left', { userId, by, reason: 'banned', bannedUntil: until }],
    ['member.updated', { userId, by, role: 'moderator' }],
    ['member.updated', { userId, by, mutedUntil: until }],
    ['member.updated', { userId, by, banned: false }],
    ['member.updated', { userId, by, role: 'owner', transfer: true }],
  ] as const;
  const [type, body] = bodies[kind] ?? bodies[0];
  server.write({ type, senderId: '$system', body });
}

/** What holds at any moment, however far behind and in whatever order: nothing goes back, and what says that it is current is. */
function neverBack(before: ConversationView, after: ConversationView, server: LogServer): void {
  const fresh = server.page(VIEWER, firstSeq(after), server.head).entries;
  for (const entry of after.entries) {
    const earlier = entryAt(before, entry.seq);
    const now = fresh.find(({ seq }) => seq === entry.seq);
    if (entry.target == null && entry.redacted !== true) expect(entry.type === 'message' && entry.body == null).toBe(false);
    if (entry.senderId != null) expect(entry.stateSeq ?? 0).toBeGreaterThanOrEqual(earlier?.stateSeq ?? 0);
    if (earlier?.redacted === true && entry.senderId != null) expect(entry.redacted).toBe(true);
    if (earlier?.replyTo?.redacted === true && entry.replyTo?.senderId != null) expect(entry.replyTo.redacted).toBe(true);
    const { replyTo: _held, ...held } = entry;
    const { replyTo: _shown, ...shown } = now ?? {};
    const current = entry.type !== 'message.edited' && (entry.stateSeq ?? 0) === (now?.stateSeq ?? 0);
    if (current && now?.redacted !== true && after.oldestSeq === server.oldestSeq) expect(held).toEqual(shown);
  }
}

/** The device: one view, and pages that are still on their way. */
class Device {
  readonly server: LogServer;
  view: ConversationView;
  #underway: { page: ViewPage; history: boolean }[] = [];
  #last: { page: ViewPage; history: boolean } | undefined;

  constructor(server: LogServer) {
    this.server = server;
    this.view = viewOf(VIEWER, server.page(VIEWER, server.head - 3, server.head));
  }

  ask(history: boolean, count: number): void {
    const { server, view } = this;
    const first = firstSeq(view);
    const page = history ? server.page(VIEWER, first - count, first - 1) : server.page(VIEWER, view.cursor + 1, view.cursor + count);
    this.#underway.push({ page, history });
  }

  take(answer: { page: ViewPage; history: boolean } | undefined): void {
    if (answer === undefined) return;
    this.#last = answer;
    if (!answer.history && answer.page.oldestSeq > this.view.cursor + 1) this.restart(5);
    else this.view = answer.history ? mergeHistory(this.view, answer.page) : applyPage(this.view, answer.page);
  }

  restart(count: number): void {
    this.view = viewOf(VIEWER, this.server.page(VIEWER, this.server.head - count + 1, this.server.head));
  }

  do(each: Step): void {
    const { server } = this;
    if (!('count' in each)) write(server, each);
    else if (each.do === 'pull' || each.do === 'history') {
      this.ask(each.do === 'history', each.count);
      this.take(this.#underway.pop());
    } else if (each.do === 'ask' || each.do === 'askHistory') this.ask(each.do === 'askHistory', each.count);
    else if (each.do === 'deliver') this.take(this.#underway.shift());
    else if (each.do === 'again') this.take(this.#last);
    else if (each.do === 'trim') this.view = trimView(this.view, each.count);
    else if (each.do === 'tooLong') this.restart(each.count);
    else if (each.do === 'retain') server.oldestSeq = Math.min(server.oldestSeq + each.count, server.head + 1);
    else {
      server.now += each.count * 100;
      const due = nextExpiry(this.view);
      const after = expire(this.view, server.now);
      expect(after !== this.view).toBe(due !== undefined && due <= server.now);
      this.view = after;
    }
  }

  catchUp(): void {
    while (this.view.cursor < this.server.head || this.view.oldestSeq < this.server.oldestSeq) {
      this.ask(false, 7);
      this.take(this.#underway.pop());
    }
    this.view = expire(this.view, this.server.now);
  }
}

function compare(device: Device): void {
  const { view, server } = device;
  expect(view.entries.map(({ seq }) => seq)).toEqual(view.entries.map((_, index) => firstSeq(view) + index));
  const fresh = viewOf(VIEWER, server.page(VIEWER, firstSeq(view), server.head));
  expect(view.entries).toEqual(fresh.entries);
  expect(view.mine).toEqual(fresh.mine);
  expect(view.cursor).toBe(fresh.cursor);
  expect(view.oldestSeq).toBe(fresh.oldestSeq);
  // What trimmed entries told stays known: then the device knows more than a fresh page tells.
  expect(view.members).toMatchObject(fresh.members);
  if (fresh.state.stateSeq > 0) expect(view.state).toMatchObject(fresh.state);
}

describe('the fold', () => {
  it('of any pages, whenever made and delivered, equals a fresh page', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.array(step, { maxLength: 80, size: 'max' }), (before, steps) => {
        const server = new LogServer();
        server.write({
          type: 'conversation.created',
          senderId: '$system',
          body: { type: 'group', by: 'u1', history: 'full', members: ['u2'] },
        });
        for (const each of before) write(server, each);
        const device = new Device(server);
        for (const each of steps) {
          const earlier = device.view;
          device.do(each);
          neverBack(earlier, device.view, server);
        }
        device.catchUp();
        compare(device);
        // The whole history behind it: then every field is the same.
        while (firstSeq(device.view) > server.oldestSeq) device.do({ do: 'history', count: 9 });
        device.view = expire(device.view, server.now);
        compare(device);
      }),
      { numRuns: 120 },
    );
  });
});
