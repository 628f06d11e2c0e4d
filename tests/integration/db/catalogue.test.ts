import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { violations } from './support/catalogue.ts';
import { createFixture, type Fixture } from './support/fixture.ts';

let db: Fixture;
beforeAll(async () => {
  db = await createFixture();
});
afterAll(() => db[Symbol.asyncDispose]());

test('tables, keys and functions keep to their groups', async () => {
  expect(await violations((sql) => db.database.query(sql))).toEqual([]);
});

/** The check itself is proved: each breach, made inside a transaction that is rolled back, is found. */
describe('a breach is found', () => {
  const breaches: readonly [string, string, RegExp][] = [
    ['a table of no group', 'create table stray (id int primary key)', /table stray belongs to no group/],
    ['a missing primary key', 'alter table pin drop constraint pin_pkey', /table pin has no primary key/],
    [
      'a unique constraint across groups',
      'alter table conversation add unique (app_id, title)',
      /unique index conversation_app_id_title_key lacks conversation.id/,
    ],
    ['a unique index across groups', 'create unique index one_feed on feed (app_id, version)', /unique index one_feed lacks feed.user_id/],
    [
      'a group column that may be null',
      'alter table outbox drop constraint outbox_pkey, alter conversation_id drop not null',
      /outbox.conversation_id may be null/,
    ],
    [
      'a foreign key into another group',
      'alter table member add foreign key (app_id, user_id) references chat_user',
      /foreign key member_app_id_user_id_fkey leads from member into another group, chat_user/,
    ],
    [
      'a foreign key without the group column',
      'alter table chat_user add unique (app_id, id, display_name); alter table device add column other text; alter table device add foreign key (app_id, device_id) references chat_user (app_id, id)',
      /does not carry the group's column/,
    ],
    [
      'a cascade',
      'alter table pin add constraint cascading foreign key (conversation_id, seq) references entry on update cascade',
      /foreign key cascading acts on update or delete/,
    ],
    ['a sequence', 'alter table entry add column serial bigserial', /sequence entry_serial_seq is not allowed/],
    ['an identity column', 'alter table entry add column serial bigint generated always as identity', /entry.serial is an identity/],
    [
      'a trigger',
      "create function noop() returns trigger language plpgsql as 'begin return new; end'; create trigger t before insert on entry for each row execute function noop()",
      /trigger t is not allowed/,
    ],
    [
      'a function without a route',
      "create function stray(x int) returns int language sql as 'select 1'",
      /function stray is neither routed nor a known helper/,
    ],
    ['a function without pinned plans', 'alter function mark_read reset all', /function mark_read does not pin its plans/],
  ];
  test.each(breaches)('%s', async (_, sql, expected) => {
    const client = new pg.Client(db.database.connectionString);
    await client.connect();
    try {
      await client.query('begin');
      await client.query(sql);
      const found = await violations(async (text) => (await client.query(text)).rows);
      expect(found.join('\n')).toMatch(expected);
    } finally {
      await client.end();
    }
  });
});
