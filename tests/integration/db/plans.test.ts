import { randomUUID } from 'node:crypto';
import {
  appEntriesAfter,
  append,
  applyFeed,
  banList,
  blockedBetween,
  cancelScheduled,
  conversationOfUser,
  conversationStates,
  createConversation,
  createPool,
  deferOutbox,
  deleteOutbox,
  dueOutbox,
  dueScheduled,
  ensureUser,
  entriesAfter,
  entriesBefore,
  entryVersions,
  expireEntries,
  feedAfter,
  finishScheduled,
  getUser,
  heads,
  hideDirect,
  insertScheduled,
  isBlockedBy,
  joinedConversationIds,
  joinedCounts,
  listBlocks,
  listScheduled,
  markDelivered,
  markRead,
  memberList,
  memberPage,
  membersChangedAt,
  membershipFeed,
  membershipPairs,
  mirrorBlock,
  ownReactions,
  type Pool,
  pinnedSeqs,
  presenceVisibility,
  pullPages,
  pullStates,
  reactionPage,
  receiptCounts,
  receiptPage,
  releaseScheduled,
  retainConversations,
  setBlock,
  takeScheduled,
  unknownUsers,
  unreadTotals,
  updateMe,
  upsertUsers,
  usersByIds,
} from '@nudge/db';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { actor } from './support/acts.ts';
import { change, converse, createFixture, type Fixture, message } from './support/fixture.ts';
import { type Access, explainEverything, watchPlans } from './support/plans.ts';

/** Rows of tables that one statement of a call may look at; the calls below ask for some dozens. */
const BOUND = 600;

/** What finds its rows by the arbiter index of ON CONFLICT, which no plan shows. */
const UPSERTS = new Set(['ensureUser', 'upsertUsers']);

/** What counts over all members of one conversation. */
const OVER_MEMBERS = new Set(['receiptCounts']);

/** What statistics may say when a plan is made and cached; autovacuum, which would change them at any moment, is off. */
const STATES = [
  // Before the first ANALYZE, about a minute: the planner guesses from the size of the file.
  { made: 'before the first ANALYZE', analyzed: { small: false, big: false } },
  // The worst statistics: every log has one entry, every user one feed row.
  { made: 'while statistics said that the tables are small', analyzed: { small: true, big: false } },
  { made: 'from the statistics of big tables', analyzed: { small: false, big: true } },
] as const;

let db: Fixture;
let pool: Pool;
let plans: { readonly accesses: Access[] };
let ids: string[];
let direct: string;

/** Twenty conversations, every statement called often enough for its cached plan, then big tables. */
async function grow({ small, big }: { readonly small: boolean; readonly big: boolean }): Promise<void> {
  db = await createFixture(2);
  for (const table of TABLES) await db.database.query(`alter table ${table} set (autovacuum_enabled = false)`);
  await explainEverything(db.database);
  // One connection: the plans it caches while the tables are small are the ones that run when they are big.
  pool = createPool({ connectionString: db.database.connectionString, applicationName: 'plans', max: 1, statementTimeoutMs: 60_000 });
  plans = watchPlans(pool);
  ids = await Promise.all(Array.from({ length: 20 }, () => converse(db.pool, ['ann', 'bob', 'cid'])));
  direct = await converse(db.pool, ['ann', 'bob'], { type: 'direct' });
  await db.database.query(`insert into chat_user (app_id, id) select 'a', 'first' || n from generate_series(1, 20) n`);
  await db.database.query(
    `insert into feed (app_id, user_id, subject, version, src_version, state) select 'a', id, 'member/x', 1, 1, '{}' from chat_user`,
  );
  await db.database.query(
    `insert into reaction select id, 1, 'ann', '👍', now() from conversation; insert into pin select id, 1, 'ann', now() from conversation;
     insert into mention select id, 'ann', 2, null from conversation; insert into entry_version select id, 1, 2, '{}', null, now() from conversation;
     insert into block select 'a', id, 'blocks', 'zed', now() from chat_user;
     insert into scheduled select 'a', id, gen_random_uuid(), gen_random_uuid(), id, '', 'message', '{}', null, true, now() + interval '1 year', now() from chat_user`,
  );
  if (small) await analyze();
  for (let round = 0; round < 7; round += 1) for (const [, work] of statements) await work();
  await fill();
  if (!big) return;
  await analyze();
  for (let round = 0; round < 7; round += 1) for (const [, work] of statements) await work();
}

/** The tables belong to `nudge`. */
const TABLES = 'conversation member entry outbox chat_user feed reaction pin mention entry_version block scheduled'.split(' ');
const analyze = () => db.database.query(`analyze ${TABLES.join(', ')}`);

/** 200,000 entries and as many memberships, feed rows and users beside those that the statements touch; no ANALYZE. */
async function fill(): Promise<void> {
  const sql = [
    `insert into conversation (id, app_id, type, created_by, created_at, last_seq, message_count, member_count, member_version, last_entry_at)
       select gen_random_uuid(), 'a', 'group', 'ann', now(), 0, 0, 3, 1, now() - n * interval '1 s' from generate_series(1, 2000) n`,
    `insert into entry (conversation_id, seq, type, sender_id, client_msg_id, message_no, countable, body, created_at)
       select c.id, c.last_seq + n, 'message', 'bob', gen_random_uuid(), c.message_count + n, true, '{"text":"hello"}', now()
       from conversation c cross join generate_series(1, case when c.created_by = 'ann' and c.last_seq > 0 then 3000 else 70 end) n`,
    `update conversation c set last_seq = x.seq, message_count = x.no from (select conversation_id, max(seq) seq, max(message_no) no from entry group by 1) x where x.conversation_id = c.id`,
    `insert into member (conversation_id, user_id, app_id, joined_seq, changed_seq)
       select c.id, u.id, 'a', 1, 1 from conversation c cross join (select 'user' || n as id from generate_series(1, 100) n) u on conflict do nothing`,
    `insert into chat_user (app_id, id) select 'a', 'user' || n from generate_series(1, 200000) n on conflict do nothing`,
    `insert into feed (app_id, user_id, subject, version, src_version, state)
       select 'a', 'user' || n, 'member/' || gen_random_uuid(), 1, 1, '{"state":"joined"}' from generate_series(1, 200000) n`,
    `insert into feed (app_id, user_id, subject, version, src_version, state)
       select 'a', 'bob', 'member/' || gen_random_uuid(), n, 1, '{"state":"joined"}' from generate_series(1, 3000) n`,
    `update chat_user set feed_version = 3000 where id = 'bob'`,
    `insert into reaction select conversation_id, seq, 'user' || n, 'e' || n % 3, now() from entry cross join generate_series(1, 40) n where seq between 2 and 4`,
    `insert into pin select conversation_id, seq, 'ann', now() from entry where seq between 2 and 60`,
    `insert into mention select c.id, u, s, null from conversation c cross join unnest(array['ann', 'bob', 'user1']) u cross join generate_series(5, 20) s`,
    `insert into entry_version select conversation_id, seq, seq + n, '{}', null, now() from entry cross join generate_series(1, 5) n where seq between 2 and 20`,
    `insert into block select 'a', 'user' || n, k, 'zed' || n % 7, now() from generate_series(1, 50000) n cross join unnest(array['blocks', 'blocked_by']) k`,
    `insert into scheduled select 'a', 'user' || n % 5000, gen_random_uuid(), gen_random_uuid(), 'c' || n, '', 'message', '{}', null, true, now() + interval '1 year', now()
       from generate_series(1, 50000) n`,
    `update entry set expires_at = now() + interval '1 year' where seq between 30 and 60`,
    `update entry set expires_at = now() - interval '1 s' where seq = 61 and conversation_id in (select id from conversation limit 5)`,
    `update conversation set retention_s = 3600 where id in (select id from conversation where created_by = 'ann' and last_seq > 100 limit 2)`,
    `update entry e set created_at = now() - interval '1 day' from conversation c where c.retention_s > 0 and e.conversation_id = c.id and e.seq < 50`,
    `insert into outbox (conversation_id, id, created_at, kind, payload, next_at)
       select gen_random_uuid(), gen_random_uuid(), now(), 'append', '{"heads":[]}', now() + interval '1 hour' from generate_series(1, 50000) n`,
  ];
  // As the superuser, whose sessions are not explained, and without the lookups of foreign keys.
  const admin = new pg.Client(db.database.adminConnectionString);
  await admin.connect();
  try {
    await admin.query('set session_replication_role = replica');
    for (const text of sql) await admin.query(text);
  } finally {
    await admin.end();
  }
}

const id = (index: number): string => ids[index % 20] ?? '';
const call = (count: number) => Array.from({ length: count }, (_, index) => index);
const ann = { appId: 'a', userId: 'ann' };

const statements: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['append (one)', () => append(pool, { route: id(0), outboxId: randomUUID(), inputs: [message(id(0), 'ann')] })],
  [
    'append (few)',
    () => append(pool, { route: id(0), outboxId: randomUUID(), inputs: call(3).map((n) => message(id(n), n % 3 === 0 ? 'ann' : 'bob')) }),
  ],
  [
    'append (many)',
    () => append(pool, { route: id(0), outboxId: randomUUID(), inputs: call(40).map((n) => message(id(n), n % 3 === 0 ? 'ann' : 'bob')) }),
  ],
  [
    'append (membership)',
    async () => {
      const who = randomUUID();
      const step = (type: 'member.put' | 'member.remove') =>
        append(pool, { route: id(1), outboxId: randomUUID(), inputs: [change(id(1), 'ann', type, { userId: who })] });
      await step('member.put');
      await step('member.remove');
    },
  ],
  [
    'append (acts)',
    async () => {
      const bob = actor(pool, id(2), 'bob');
      const seq = await bob.say('hello', { mentions: ['ann', 'cid'], replyTo: await bob.say('quoted') });
      await bob.edit(seq, 'new', { mentions: ['ann'] });
      await bob.edit(seq, 'newer', { mentions: ['cid'] });
      for (const who of ['ann', 'bob', 'cid']) await actor(pool, id(2), who).react(seq, '👍');
      await bob.unreact(seq, '👍');
      await actor(pool, id(2), 'ann').pin(seq);
      await bob.redact(seq);
    },
  ],
  [
    'append (members, conversation)',
    async () => {
      const ann = actor(pool, id(3), 'ann');
      const who = randomUUID();
      await ann.update({ title: randomUUID() });
      await ann.member('put', who);
      await ann.member('mute', who, { until: '2100-01-01T00:00:00.000Z' });
      await ann.member('ban', who, { until: null });
      await ann.member('unban', who);
    },
  ],
  [
    'markRead',
    () =>
      markRead(pool, {
        route: id(0),
        outboxId: randomUUID(),
        inputs: call(20).map((n) => ({ appId: 'a', conversationId: id(n), userId: 'cid', seq: 1e9 })),
      }),
  ],
  [
    'createConversation',
    async () => {
      const input = {
        appId: 'a',
        type: 'group',
        createdBy: 'ann',
        members: ['bob'],
        title: null,
        metadata: null,
        history: 'full',
      } as const;
      const created = randomUUID();
      await createConversation(pool, { ...input, id: created, outboxId: randomUUID() });
      await createConversation(pool, { ...input, id: created, outboxId: randomUUID() });
    },
  ],
  ['conversationOfUser', () => conversationOfUser(pool, id(0), 'ann')],
  ['hideDirect', () => hideDirect(pool, { route: direct, conversationId: direct, ...ann, outboxId: randomUUID() })],
  [
    'applyFeed',
    () =>
      applyFeed(
        pool,
        call(20).map((n) => ({ ...ann, subject: `member/${id(n)}`, srcVersion: Date.now(), state: `{"state":"joined","n":${n}}` })),
      ),
  ],
  [
    'membershipFeed',
    () =>
      membershipFeed(
        pool,
        call(20).map((n) => ({ ...ann, conversationId: id(n) })),
      ),
  ],
  ['membersChangedAt', () => membersChangedAt(pool, id(0), 1, '', 20)],
  ['dueOutbox', () => dueOutbox(pool, { olderThanMs: 0, limit: 20 })],
  ['deferOutbox', async () => deferOutbox(pool, await dueOutbox(pool, { olderThanMs: 0, limit: 1 }))],
  ['deleteOutbox', async () => deleteOutbox(pool, await dueOutbox(pool, { olderThanMs: 0, limit: 50 }))],
  ['conversationStates', () => conversationStates(pool, ids)],
  [
    'membershipPairs',
    () =>
      membershipPairs(
        pool,
        call(20).map((n) => ({ ...ann, conversationId: id(n) })),
      ),
  ],
  ['memberList', () => memberList(pool, id(0))],
  ['memberPage', () => memberPage(pool, id(0), 'b', 20)],
  [
    'entriesAfter',
    () =>
      entriesAfter(
        pool,
        call(20).map((n) => ({ conversationId: id(n), after: 1, limit: 20 })),
      ),
  ],
  ['entriesBefore', () => entriesBefore(pool, id(0), 50, 20)],
  ['entriesBefore (newest)', () => entriesBefore(pool, id(0), null, 20)],
  [
    'pullPages',
    () =>
      pullPages(
        pool,
        call(20).map((n) => ({ conversationId: id(n), after: 1, before: n % 2 === 0 ? null : 40, limit: 20, userId: 'ann' })),
      ),
  ],
  [
    'pullStates',
    () =>
      pullStates(
        pool,
        call(20).map((n) => ({ conversationId: id(n), userId: 'ann' })),
      ),
  ],
  ['heads', () => heads(pool, { ...ann, ids, limit: 20 })],
  [
    'heads (since, before)',
    () =>
      heads(pool, {
        ...ann,
        ids,
        since: '2020-01-01T00:00:00.000Z',
        before: { lastEntryAt: '2050-01-01T00:00:00.000Z', id: id(0) },
        limit: 20,
      }),
  ],
  [
    'markDelivered',
    () =>
      markDelivered(pool, { route: id(0), inputs: call(20).map((n) => ({ appId: 'a', conversationId: id(n), userId: 'cid', seq: 1e9 })) }),
  ],
  ['ownReactions', () => ownReactions(pool, 'ann', [{ conversationId: id(0), seqs: [1, 2, 3] }])],
  ['reactionPage', () => reactionPage(pool, id(0), 2, 'e1', null, 20)],
  ['reactionPage (all)', () => reactionPage(pool, id(0), 2, null, null, 20)],
  ['pinnedSeqs', () => pinnedSeqs(pool, id(0))],
  ['receiptPage', () => receiptPage(pool, id(0), null, 20)],
  ['receiptPage of an entry', () => receiptPage(pool, id(0), null, 20, 40)],
  ['receiptCounts', () => receiptCounts(pool, id(0), 2, 'ann')],
  ['entryVersions', () => entryVersions(pool, { appId: 'a', conversationId: id(0), seq: 2 }, 0, 50)],
  ['banList', () => banList(pool, id(0), null, 20)],
  ['expireEntries', () => expireEntries(pool, 20)],
  ['retainConversations', () => retainConversations(pool, { limit: 1, chunk: 20 })],
  [
    'setBlock',
    async () => {
      const pair = { appId: 'a', userId: 'ann', otherId: 'bob', conversationId: direct };
      await setBlock(pool, { ...pair, blocked: true, outboxId: randomUUID() });
      await setBlock(pool, { ...pair, blocked: false, outboxId: randomUUID() });
    },
  ],
  ['mirrorBlock', () => mirrorBlock(pool, { appId: 'a', conversationId: direct })],
  ['listBlocks', () => listBlocks(pool, 'a', 'ann', null, 20)],
  ['isBlockedBy', () => isBlockedBy(pool, 'a', 'ann', 'bob')],
  ['blockedBetween', () => blockedBetween(pool, 'a', ['ann', 'bob'])],
  ['presenceVisibility', () => presenceVisibility(pool, 'a', ['ann', 'bob'])],
  ['getUser', () => getUser(pool, 'a', 'ann')],
  ['updateMe', () => updateMe(pool, 'a', 'ann', { displayName: 'Ann' })],
  [
    'scheduled',
    async () => {
      const key = { ...ann, id: randomUUID(), conversationId: id(0), clientMsgId: randomUUID() };
      const rest = {
        type: 'message',
        body: '{}',
        extra: null,
        countable: true,
        sendAt: '2026-01-01T00:00:00Z',
        contentHash: Buffer.from('x'),
      };
      await insertScheduled(pool, { ...key, ...rest });
      await listScheduled(pool, 'a', 'ann', null, 20);
      await dueScheduled(pool, { olderThanMs: 0, limit: 20 });
      const taken = await takeScheduled(pool, 'a', 'ann', key.id);
      if (taken !== null) await releaseScheduled(pool, taken);
      await cancelScheduled(pool, 'a', 'ann', key.id);
      await finishScheduled(pool, 'a', 'ann', key.id, 'frozen');
      await finishScheduled(pool, 'a', 'ann', key.id, null);
    },
  ],
  ['unreadTotals', () => unreadTotals(pool, { ...ann, ids })],
  ['feedAfter', () => feedAfter(pool, 'a', 'bob', 0, 20)],
  ['joinedConversationIds', () => joinedConversationIds(pool, 'a', 'ann')],
  ['joinedCounts', () => joinedCounts(pool, 'a', ['ann', 'cid'])],
  ['appEntriesAfter', () => appEntriesAfter(pool, 'a', 0, 20)],
  ['ensureUser', () => ensureUser(pool, 'a', 'ann')],
  ['unknownUsers', () => unknownUsers(pool, 'a', ['ann', 'bob', 'nobody'])],
  ['upsertUsers', () => upsertUsers(pool, 'a', [{ id: 'ann' }, { id: 'bob' }])],
  ['usersByIds', () => usersByIds(pool, 'a', ['ann', 'bob'])],
];

describe.each(STATES)('plans made $made', ({ analyzed }) => {
  beforeAll(() => grow(analyzed), 240_000);
  afterAll(async () => {
    await pool.end();
    await db[Symbol.asyncDispose]();
  });

  test.each(statements)('%s: only by index and only what it needs', async (name, work) => {
    plans.accesses.length = 0;
    await work();
    const seen = plans.accesses.filter((access) => access.relation !== 'pg_proc');
    if (!UPSERTS.has(name)) expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter((access) => access.index === null)).toEqual([]);
    if (!OVER_MEMBERS.has(name)) expect(seen.filter((access) => access.rows > BOUND)).toEqual([]);
  });

  test('an entry is found by its clientMsgId and by its seq, each by its own index', async () => {
    plans.accesses.length = 0;
    await append(pool, { route: id(0), outboxId: randomUUID(), inputs: [message(id(0), 'ann')] });
    await append(pool, { route: id(0), outboxId: randomUUID(), inputs: [message(id(0), 'ann'), message(id(1), 'ann')] });
    const used = new Set(plans.accesses.filter((access) => access.relation === 'entry').map((access) => access.index));
    expect(used).toEqual(new Set(['entry_conversation_id_sender_id_client_msg_id_key']));
    plans.accesses.length = 0;
    await entriesAfter(pool, [{ conversationId: id(0), after: 0, limit: 10 }]);
    expect(plans.accesses.find((access) => access.relation === 'entry')?.index).toBe('entry_pkey');
  });
});

/** The outbox is empty most of the time, so that is what its statistics say when a backlog comes. */
test('a backlog that came after the outbox was analyzed empty is deleted by key', async () => {
  await using fixture = await createFixture(1);
  await explainEverything(fixture.database);
  const client = createPool({ connectionString: fixture.database.connectionString, applicationName: 'plans', max: 1 });
  const { accesses } = watchPlans(client);
  const rows = (count: number) =>
    fixture.database.query(`insert into outbox (conversation_id, id, created_at, kind, payload, next_at)
      select gen_random_uuid(), gen_random_uuid(), now(), 'append', '{"heads":[]}', now() - n * interval '1 s' from generate_series(1, ${count}) n`);
  await rows(1);
  await fixture.database.query('analyze outbox');
  for (let round = 0; round < 7; round += 1) await deleteOutbox(client, await dueOutbox(client, { olderThanMs: 0, limit: 50 }));
  await rows(3_000);
  accesses.length = 0;
  expect(await deleteOutbox(client, await dueOutbox(client, { olderThanMs: 0, limit: 50 }))).toBe(50);
  await client.end();
  expect(accesses.filter((access) => access.rows > BOUND)).toEqual([]);
});

/** The check is proved: without the settings of the pool a cached plan reads a whole table. */
test('a pool without these settings is caught', async () => {
  await using loose = await createFixture(1);
  await explainEverything(loose.database);
  const plain = new pg.Pool({ connectionString: loose.database.connectionString, max: 1 });
  const { accesses } = watchPlans(plain);
  await loose.database.query(`insert into chat_user (app_id, id) values ('a', 'ann')`);
  await loose.database.query('analyze chat_user');
  for (let round = 0; round < 7; round += 1)
    await plain.query({
      name: 'q',
      text: 'select * from chat_user c where c.app_id = $1 and c.id = any ($2::text[])',
      values: ['a', ['ann', 'bob', 'cid']],
    });
  await plain.end();
  expect(accesses.some((access) => access.index === null)).toBe(true);
});
