import { fileURLToPath } from 'node:url';
import type { ApiStores } from '@nudge/api';
import { mintToken, NudgeError } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { describe, expect, it } from 'vitest';
import { runTogether } from '../../support/barrier.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { startChild } from '../../support/process.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type ApiServer, type Caller, createTestApp, startApiServer } from './support/api-server.ts';
import { idleJobs, quickJobs } from './support/jobs.ts';
import { listenToUser } from './support/listener.ts';

const main = fileURLToPath(new URL('../../../apps/api/src/main.ts', import.meta.url));
const quick = { jobs: quickJobs };
/** Jobs are made and never looked at, and only the sweep sends. */
const sweeping = { jobs: { ...idleJobs, sweepSeconds: 1, sweepAgeMs: 1 } };

const ahead = (ms: number): string => new Date(Date.now() + ms).toISOString();
/** Far enough for every step that must precede it: see `letCome`. */
const later = (): string => ahead(60_000);

async function group(caller: Caller, members: readonly string[] = ['bob']): Promise<string> {
  const { body } = await caller('POST', '/v1/conversations', { type: 'group', members });
  return (body.conversation as { id: string }).id;
}

const schedule = (caller: Caller, id: string, clientMsgId: string, sendAt: string, more: object = {}) =>
  caller('POST', `/v1/conversations/${id}/messages`, { clientMsgId, body: { text: clientMsgId }, sendAt, ...more });

const sent = (database: TestDatabase, id: string) =>
  database.query<{ client_msg_id: string; seq: string }>(
    `select client_msg_id, seq from entry where conversation_id = $1 and type = 'message' order by seq`,
    [id],
  );

const waiting = async (caller: Caller) =>
  (await caller('GET', '/v1/me/scheduled')).body.items as { id: string; clientMsgId: string; failed?: string }[];

/** Has every job done now that waits for its time or for another try. */
const wake = (database: TestDatabase) =>
  database.query(`update jobs.job set start_after = now() where name = 'scheduled' and state in ('created', 'retry')`);

/** Lets the time come of all that waits; answers when that is. */
async function letCome(database: TestDatabase): Promise<Date> {
  const [row] = await database.query<{ send_at: Date }>(
    `update scheduled set send_at = date_trunc('milliseconds', clock_timestamp()) where taken_at is null returning send_at`,
  );
  await wake(database);
  if (row === undefined) throw new Error('nothing waits');
  return row.send_at;
}

const untilSent = (database: TestDatabase, id: string, clientMsgId: string) =>
  waitFor(`${clientMsgId} to be sent`, async () => {
    await wake(database);
    return (
      (await sent(database, id)).some((row) => row.client_msg_id === clientMsgId) &&
      (await database.query('select from scheduled where client_msg_id = $1', [clientMsgId])).length === 0
    );
  });

/** The stores, with `wrap` around taking a message. */
const taking =
  (wrap: (take: () => ReturnType<ApiStores['scheduled']['take']>) => ReturnType<ApiStores['scheduled']['take']>) =>
  (stores: ApiStores): ApiStores => {
    const { scheduled } = stores;
    return {
      ...stores,
      scheduled: {
        insert: (message, bound) => scheduled.insert(message, bound),
        list: (appId, userId, fromId, limit) => scheduled.list(appId, userId, fromId, limit),
        cancel: (key) => scheduled.cancel(key),
        take: (key) => wrap(() => scheduled.take(key)),
        release: (taken) => scheduled.release(taken),
        finish: (key, failedCode) => scheduled.finish(key, failedCode),
        due: (olderThanMs, limit) => scheduled.due(olderThanMs, limit),
      },
    };
  };

describe('a message with sendAt', () => {
  it('waits, is listed, and is sent once at its time with all that was sent along', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server = await startApiServer(database, { config: quick });
    const ann = server.as(app, 'ann');
    const id = await group(ann);
    await ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'quoted', body: { text: 'before' } });
    const bob = await listenToUser(server.bus, 'demo', 'bob');
    const sendAt = later();
    const first = await schedule(ann, id, 'm1', sendAt, { replyTo: 2, mentions: ['bob'], expiresIn: 60 });
    expect([first.status, first.body.sendAt]).toEqual([202, sendAt]);
    const again = await schedule(ann, id, 'm1', sendAt, { replyTo: 2, mentions: ['bob'], expiresIn: 60 });
    expect([again.status, again.body]).toEqual([202, first.body]);
    expect(await waiting(ann)).toMatchObject([{ id: first.body.scheduledId, clientMsgId: 'm1', conversationId: id, body: { text: 'm1' } }]);
    expect(await waiting(server.as(app, 'bob'))).toEqual([]);
    const jobs = await database.query('select start_after from jobs.job where id = $1', [first.body.scheduledId]);
    expect(jobs).toEqual([{ start_after: new Date(sendAt) }]);
    const came = await letCome(database);
    await untilSent(database, id, 'm1');
    const [row] = await database.query(
      `select reply_seq, mentions, expires_at is not null as expires, countable, created_at >= $2 as in_time from entry where conversation_id = $1 and seq = 3`,
      [id, came],
    );
    expect(row).toEqual({ reply_seq: '2', mentions: ['bob'], expires: true, countable: true, in_time: true });
    await waitFor('the key', () => bob.highest(`c/${id}`) === 3);
    const late = await schedule(ann, id, 'm1', sendAt, { replyTo: 2, mentions: ['bob'], expiresIn: 60 });
    expect([late.status, late.body.seq]).toEqual([200, 3]);
    expect(await sent(database, id)).toHaveLength(2);
  });

  it('keeps to slow mode: what comes too soon waits for its turn', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server = await startApiServer(database, { config: quick });
    const [ann, bob] = [server.as(app, 'ann'), server.as(app, 'bob')];
    const id = await group(ann);
    await ann('PATCH', `/v1/conversations/${id}`, { slowModeSeconds: 3_600 });
    for (const clientMsgId of ['m1', 'm2', 'm3']) expect((await schedule(bob, id, clientMsgId, later())).status).toBe(202);
    await letCome(database);
    await waitFor('the first', async () => (await sent(database, id)).length > 0);
    await waitFor('the others to be taken up, and the first to be ended', async () => {
      const rows = await database.query<{ taken: boolean }>('select taken_at is not null as taken from scheduled');
      return rows.length === 2 && rows.every(({ taken }) => taken);
    });
    expect(await sent(database, id)).toHaveLength(1);
    expect((await waiting(bob)).map(({ failed }) => failed)).toEqual([undefined, undefined]);
    await database.query(`update member set last_sent_at = now() - interval '2 hours' where user_id = 'bob'`);
    await waitFor('the second', async () => {
      await wake(database);
      return (await sent(database, id)).length === 2;
    });
  });

  it('can be cancelled while slow mode makes it wait, and then is never sent', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server = await startApiServer(database, { config: quick });
    const [ann, bob] = [server.as(app, 'ann'), server.as(app, 'bob')];
    const id = await group(ann);
    await ann('PATCH', `/v1/conversations/${id}`, { slowModeSeconds: 3_600 });
    await bob('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'now', body: {} });
    const { body } = await schedule(bob, id, 'later', later());
    await letCome(database);
    const taken = () => database.query('select from scheduled where taken_at is not null');
    await waitFor('it to be taken up', async () => (await taken()).length === 1);
    await waitFor('the cancellation', async () => (await bob('DELETE', `/v1/me/scheduled/${body.scheduledId}`)).body.changed === true);
    expect(await waiting(bob)).toEqual([]);
    await database.query(`update member set last_sent_at = now() - interval '2 hours' where user_id = 'bob'`);
    const next = await schedule(bob, id, 'next', later());
    expect(next.status).toBe(202);
    await letCome(database);
    await untilSent(database, id, 'next');
    expect((await sent(database, id)).map((row) => row.client_msg_id)).toEqual(['now', 'next']);
  });

  it('of a user who is banned from the app meanwhile is refused, unless it was sent before', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    const banned = Promise.withResolvers<void>();
    let takings = 0;
    await using server = await startApiServer(database, {
      config: { jobs: { ...quickJobs, sweepAgeMs: 1 } },
      stores: (stores) => ({
        ...taking(async (take) => {
          takings += 1;
          // The first one is sent, and what became of it gets lost.
          if (takings > 2) await banned.promise;
          return take();
        })(stores),
      }),
    });
    const [ann, bob] = [server.as(app, 'ann'), server.as(app, 'bob')];
    const id = await group(ann);
    await database.query(`create function keep_it() returns trigger language plpgsql as 'begin raise exception ''kept''; end'`);
    await database.query(`create trigger keep_it before delete on scheduled for each row execute function keep_it()`);
    expect((await schedule(bob, id, 'first', later())).status).toBe(202);
    await letCome(database);
    await waitFor('the first', async () => (await sent(database, id)).length === 1);
    await waitFor('its end to be tried again', async () => {
      await wake(database);
      return takings > 2;
    });
    expect((await schedule(bob, id, 'second', later())).status).toBe(202);
    expect((await server.asServer(app)('PUT', '/v1/admin/users/bob/ban', {})).status).toBe(200);
    await database.query('drop trigger keep_it on scheduled');
    await letCome(database);
    banned.resolve();
    await waitFor('the second to be refused', async () => {
      await wake(database);
      const rows = await database.query('select client_msg_id, failed_code from scheduled');
      return JSON.stringify(rows) === JSON.stringify([{ client_msg_id: 'second', failed_code: 'user_banned' }]);
    });
    expect((await sent(database, id)).map((row) => row.client_msg_id)).toEqual(['first']);
  });

  it('that was refused at its time is answered with the reason when it is scheduled again', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    const clock = new ManualClock(Date.now());
    await using server = await startApiServer(database, { config: quick, clock });
    const [ann, bob] = [server.as(app, 'ann'), server.as(app, 'bob')];
    const id = await group(ann);
    const sendAt = later();
    expect((await schedule(bob, id, 'm1', sendAt)).status).toBe(202);
    await ann('PUT', `/v1/conversations/${id}/members/bob/mute`, {});
    await letCome(database);
    clock.advance(120_000);
    await waitFor('the refusal', async () => (await waiting(bob))[0]?.failed === 'muted');
    const again = await schedule(bob, id, 'm1', sendAt);
    expect([again.status, again.body.code]).toEqual([403, 'muted']);
  });

  it('is refused for a time that is not ahead or too far ahead, for strangers, reused ids and above the bound', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob', 'cho']);
    await using server = await startApiServer(database, { config: { jobs: idleJobs }, limits: { scheduledPerUser: 2 } });
    const ann = server.as(app, 'ann');
    const id = await group(ann);
    for (const sendAt of [ahead(-1_000), '2020-01-01T00:00:00+01:00', ahead(10 * 366 * 86_400_000)]) {
      const answer = await schedule(ann, id, 'bad', sendAt);
      expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
      expect(answer.body.issues).toMatchObject([{ path: 'body.sendAt' }]);
    }
    expect((await schedule(server.as(app, 'cho'), id, 'm', ahead(60_000))).status).toBe(404);
    expect((await schedule(ann, id, 'm1', '2099-01-01T00:00:00Z')).status).toBe(400);
    const at = ahead(60_000);
    expect((await schedule(ann, id, 'm1', at)).status).toBe(202);
    expect((await schedule(ann, id, 'm1', ahead(90_000))).body.code).toBe('client_msg_id_reused');
    expect((await schedule(ann, id, 'm2', at)).status).toBe(202);
    const third = await schedule(ann, id, 'm3', at);
    expect([third.status, third.body.code]).toEqual([409, 'limit_reached']);
    const ids = (await waiting(ann)).map((item) => item.id);
    expect(ids).toEqual([...ids].sort());
    const page = await ann('GET', '/v1/me/scheduled?limit=1');
    expect([(page.body.items as unknown[]).length, page.body.nextCursor]).toEqual([1, ids[0]]);
    const rest = await ann('GET', `/v1/me/scheduled?limit=1&cursor=${ids[0]}`);
    expect(rest.body).toMatchObject({ items: [{ id: ids[1] }], nextCursor: null });
    expect((await server.as(app, 'bob')('DELETE', `/v1/me/scheduled/${ids[0]}`)).status).toBe(404);
    expect((await ann('DELETE', `/v1/me/scheduled/${ids[0]}`)).body).toEqual({ changed: true });
    expect((await ann('DELETE', `/v1/me/scheduled/${ids[0]}`)).status).toBe(404);
    expect(await database.query('select from jobs.job where id = $1', [ids[0]])).toEqual([]);
    expect((await schedule(ann, id, 'm3', at)).status).toBe(202);
  });

  it('is answered again while its time has come and nobody has sent it yet', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    const clock = new ManualClock(Date.now());
    await using server = await startApiServer(database, { config: { jobs: idleJobs }, clock });
    const ann = server.as(app, 'ann');
    const id = await group(ann);
    const sendAt = later();
    const first = await schedule(ann, id, 'm', sendAt);
    expect(first.status).toBe(202);
    clock.advance(120_000);
    expect((await schedule(ann, id, 'other', sendAt)).status).toBe(400);
    expect((await schedule(ann, id, 'm', sendAt)).body).toEqual(first.body);
  });

  it('stays with the reason when it is refused at its time, until it is cancelled', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server = await startApiServer(database, { config: quick });
    const [ann, bob] = [server.as(app, 'ann'), server.as(app, 'bob')];
    const id = await group(ann);
    const { body } = await schedule(bob, id, 'm', later());
    expect((await ann('DELETE', `/v1/conversations/${id}/members/bob`)).status).toBe(200);
    await letCome(database);
    const refused = await waitFor('the refusal', async () => (await waiting(bob)).find((item) => item.failed !== undefined));
    expect(refused).toMatchObject({ id: body.scheduledId, failed: 'not_found' });
    expect(await sent(database, id)).toEqual([]);
    expect((await bob('DELETE', `/v1/me/scheduled/${refused.id}`)).body).toEqual({ changed: true });
    expect(await waiting(bob)).toEqual([]);
  });

  it('is tried again while it cannot be known what came of it', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    let refusals = 2;
    await using server = await startApiServer(database, {
      config: quick,
      stores: taking((take) => {
        refusals -= 1;
        return refusals >= 0 ? Promise.reject(new NudgeError('database_unavailable')) : take();
      }),
    });
    const ann = server.as(app, 'ann');
    const id = await group(ann);
    await schedule(ann, id, 'm', later());
    await letCome(database);
    await untilSent(database, id, 'm');
    expect(refusals).toBeLessThan(0);
  });
});

describe('a scheduled message and a crash', () => {
  const env = (database: TestDatabase) => ({ DATABASE_URL: database.connectionString, PORT: '0', NODE_ENV: 'test' });

  async function scheduleAt(url: string, token: string, id: string): Promise<void> {
    const answer = await fetch(`${url}/v1/conversations/${id}/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ clientMsgId: 'later', body: { text: 'later' }, sendAt: later() }),
    });
    expect(answer.status).toBe(202);
  }

  it.each([
    ['before its time', undefined],
    ['between the append and its end', 'after-commit'],
  ])('survives a process killed %s, and is sent once', async (_when, failpoint) => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    let id = '';
    {
      await using server = await startApiServer(database, { config: { jobs: idleJobs } });
      id = await group(server.as(app, 'ann'));
    }
    const token = mintToken({ key: app.signingKey, userId: 'ann', ttlSeconds: 60 }).token;
    await using child = await startChild({
      script: main,
      env: { ...env(database), ...(failpoint === undefined ? {} : { FAILPOINT: failpoint }) },
    });
    const [, url = ''] = await child.waitForLine(/"url":"(http:[^"]+)"/);
    await scheduleAt(url, token, id);
    if (failpoint !== undefined) await letCome(database);
    if (failpoint === undefined) await child.kill('SIGKILL');
    else expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await database.query('select from scheduled')).toHaveLength(1);
    if (failpoint === undefined) await letCome(database);
    await using server = await startApiServer(database, {
      config: failpoint === undefined ? quick : { jobs: { ...quickJobs, sweepAgeMs: 1 } },
    });
    await untilSent(database, id, 'later');
    expect(await sent(database, id)).toHaveLength(1);
    expect(await waiting(server.as(app, 'ann'))).toEqual([]);
  });

  it('is sent by the sweep when its job got lost', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server = await startApiServer(database, { config: sweeping });
    const ann = server.as(app, 'ann');
    const id = await group(ann);
    const { body } = await schedule(ann, id, 'm', later());
    expect(await database.query('delete from jobs.job where id = $1 returning id', [body.scheduledId])).toHaveLength(1);
    await letCome(database);
    await untilSent(database, id, 'm');
  });
});

describe('a scheduled message and several who reach for it', () => {
  it('is one entry, whichever of two instances sends it, the sweep reaching for it as well', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    const config = { jobs: { ...quickJobs, sweepAgeMs: 1 } };
    await using one = await startApiServer(database, { config });
    await using two = await startApiServer(database, { config });
    const ann = one.as(app, 'ann');
    const id = await group(ann);
    const at = later();
    const names = Array.from({ length: 12 }, (_, n) => `m${n}`);
    await Promise.all(names.map((name, n) => schedule((n % 2 ? one : two).as(app, 'ann'), id, name, at)));
    await letCome(database);
    for (const name of names) await untilSent(database, id, name);
    const rows = await sent(database, id);
    expect(rows.map((row) => row.client_msg_id).sort()).toEqual([...names].sort());
  });

  it('is never sent once its cancellation was answered', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    const reached = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    const missed = Promise.withResolvers<void>();
    await using server = await startApiServer(database, {
      config: quick,
      stores: taking(async (take) => {
        reached.resolve();
        await cancelled.promise;
        const row = await take();
        if (row === null) missed.resolve();
        return row;
      }),
    });
    const ann = server.as(app, 'ann');
    const id = await group(ann);
    const { body } = await schedule(ann, id, 'm', later());
    await letCome(database);
    await reached.promise;
    expect((await ann('DELETE', `/v1/me/scheduled/${body.scheduledId}`)).body).toEqual({ changed: true });
    cancelled.resolve();
    await missed.promise;
    expect(await sent(database, id)).toEqual([]);
  });

  it('cannot be cancelled once it has been taken', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    const taken = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await using server = await startApiServer(database, {
      config: quick,
      stores: taking(async (take) => {
        const row = await take();
        taken.resolve();
        await asked.promise;
        return row;
      }),
    });
    const ann = server.as(app, 'ann');
    const id = await group(ann);
    const { body } = await schedule(ann, id, 'm', later());
    await letCome(database);
    await taken.promise;
    expect((await ann('DELETE', `/v1/me/scheduled/${body.scheduledId}`)).body).toEqual({ changed: false });
    asked.resolve();
    await untilSent(database, id, 'm');
    expect((await ann('DELETE', `/v1/me/scheduled/${body.scheduledId}`)).status).toBe(404);
  });

  it('is either cancelled or sent, in any order of the two', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server: ApiServer = await startApiServer(database, { config: quick });
    const ann = server.as(app, 'ann');
    const id = await group(ann);
    const at = later();
    const names = Array.from({ length: 20 }, (_, n) => `m${n}`);
    const ids = await Promise.all(names.map(async (name) => (await schedule(ann, id, name, at)).body.scheduledId as string));
    await letCome(database);
    await waitFor('the first to be sent', async () => (await sent(database, id)).length > 0);
    const answers = await runTogether(ids.map((scheduledId) => () => ann('DELETE', `/v1/me/scheduled/${scheduledId}`)));
    await waitFor('none to wait', async () => (await waiting(ann)).length === 0);
    const there = new Set((await sent(database, id)).map((row) => row.client_msg_id));
    answers.forEach((answer, n) => {
      const cancelled = answer.status === 'fulfilled' && answer.value.body.changed === true;
      expect(there.has(names[n] ?? '')).toBe(!cancelled);
    });
  });
});
