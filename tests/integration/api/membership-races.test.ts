import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type ApiServer, createTestApp, startApiServer, type TestApp } from './support/api-server.ts';
import { listenToUser } from './support/listener.ts';
import { setLockTimeout } from './support/locks.ts';

let database: TestDatabase;
let app: TestApp;
let one: ApiServer;
let two: ApiServer;

beforeAll(async () => {
  database = await createTestDatabase();
  // Many contend for one row on purpose; that nobody waits longer than 250 ms is tested elsewhere.
  await setLockTimeout(database, '20s', 'append_one', 'append_few', 'append_entries_v2');
  app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
  one = await startApiServer(database);
  two = await startApiServer(database);
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe('sends against membership changes on two instances', () => {
  it('nothing of a removed member is above its leaving, everything acknowledged is there, and it hears no key from there on', async () => {
    for (let round = 0; round < 5; round += 1) {
      const created = await one.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob', 'cho'] });
      const { id } = created.body.conversation as { id: string };
      const heard = [await listenToUser(one.bus, 'demo', 'bob'), await listenToUser(two.bus, 'demo', 'bob')];
      const send = (user: string, n: number, server: ApiServer) => async () => {
        const answer = await server.as(app, user)('POST', `/v1/conversations/${id}/messages`, { clientMsgId: `${user}${n}`, body: { n } });
        return { kind: 'send', user, answer } as const;
      };
      const results = await runTogether<{ kind: string; user: string; answer: { status: number; body: Record<string, unknown> } }>([
        ...Array.from({ length: 20 }, (_, n) => send('bob', n, n % 2 === 0 ? one : two)),
        ...Array.from({ length: 20 }, (_, n) => send('cho', n, n % 2 === 0 ? two : one)),
        async () => ({ kind: 'remove', user: 'bob', answer: await two.as(app, 'ann')('DELETE', `/v1/conversations/${id}/members/bob`) }),
      ]);
      const done = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(done).toHaveLength(41);
      const leftSeq = done.find(({ kind }) => kind === 'remove')?.answer.body.seq as number;
      for (const { user, answer } of done.filter(({ kind }) => kind === 'send')) {
        if (user === 'cho') expect(answer.status).toBe(201);
        else if (answer.status === 201) expect(answer.body.seq).toBeLessThan(leftSeq);
        else expect(answer.status).toBe(404);
      }
      const rows = await database.query<{ seq: string; sender_id: string }>(
        'select seq, sender_id from entry where conversation_id = $1 order by seq',
        [id],
      );
      expect(rows.map((row) => Number(row.seq))).toEqual(rows.map((_, index) => index + 1));
      expect(rows.filter((row) => row.sender_id === 'bob' && Number(row.seq) > leftSeq)).toEqual([]);
      await waitFor('the outbox to be empty', async () => (await database.query('select 1 from outbox')).length === 0);
      for (const { highest } of heard) expect(highest(`c/${id}`)).toBeLessThan(leftSeq);
    }
  });

  it('of two owners who leave at once one stays', async () => {
    const created = await one.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob', 'cho'] });
    const { id } = created.body.conversation as { id: string };
    await one.as(app, 'ann')('PUT', `/v1/conversations/${id}/members/bob`, { role: 'owner' });
    const results = await runTogether([
      () => one.as(app, 'ann')('DELETE', `/v1/conversations/${id}/members/me`),
      () => two.as(app, 'bob')('DELETE', `/v1/conversations/${id}/members/me`),
    ]);
    const statuses = results.map((result) => (result.status === 'fulfilled' ? result.value.status : 0));
    expect(statuses.sort()).toEqual([200, 409]);
  });

  it('a member who is added by many at once joins once', async () => {
    const created = await one.as(app, 'ann')('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
    const { id } = created.body.conversation as { id: string };
    const results = await runTogether(
      Array.from({ length: 20 }, (_, n) => () => (n % 2 === 0 ? one : two).as(app, 'ann')('PUT', `/v1/conversations/${id}/members/cho`)),
    );
    const bodies = results.map((result) => (result.status === 'fulfilled' ? result.value.body : undefined));
    expect(bodies.filter((body) => body?.changed === true)).toHaveLength(1);
    expect(bodies.filter((body) => body?.changed === false)).toHaveLength(19);
    expect(await database.query('select last_seq::int as head from conversation where id = $1', [id])).toEqual([{ head: 2 }]);
  });
});
