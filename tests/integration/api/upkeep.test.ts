import { MemoryBus, type Publication } from '@nudge/server-kit';
import { describe, expect, it } from 'vitest';
import { newCanary, tablesWith } from '../../support/canary.ts';
import { createTestDatabase } from '../../support/database.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type Caller, createTestApp, startApiServer } from './support/api-server.ts';
import { idleJobs, quickJobs } from './support/jobs.ts';
import { listenToConversation } from './support/listener.ts';

/** A bus that can be told to take no messages. */
class RefusingBus extends MemoryBus {
  refusing = false;

  override publish(batch: readonly Publication[]): Promise<void> {
    return this.refusing ? Promise.reject(new Error('refused')) : super.publish(batch);
  }
}

async function group(caller: Caller): Promise<string> {
  const { body } = await caller('POST', '/v1/conversations', { type: 'group', members: ['bob'] });
  return (body.conversation as { id: string }).id;
}

describe('expiring messages', () => {
  it('are gone from every table, edits, quotes and reactions included, while their seqs stay', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    const [first, second, later] = [newCanary(), newCanary(), newCanary()];
    let id = '';
    {
      await using server = await startApiServer(database, { config: { jobs: idleJobs } });
      const [ann, bob] = [server.as(app, 'ann'), server.as(app, 'bob')];
      id = await group(ann);
      const messages = `/v1/conversations/${id}/messages`;
      await ann('POST', messages, { clientMsgId: 'm', body: { text: first }, mentions: ['bob'], expiresIn: 60 });
      await ann('POST', messages, { clientMsgId: 'kept', body: { text: later }, expiresIn: 3_600 });
      expect((await ann('PATCH', `${messages}/2`, { body: { text: second } })).status).toBe(200);
      expect((await bob('PUT', `${messages}/2/reactions/${encodeURIComponent('👍')}`)).status).toBe(200);
      expect(await tablesWith(database, first)).toContain('public.entry_version');
      expect(await tablesWith(database, second)).toEqual(['public.entry']);
      await database.query(`update entry set expires_at = now() - interval '1 second' where expires_at < now() + interval '10 minutes'`);
    }
    await using server = await startApiServer(database, { config: { jobs: quickJobs } });
    await waitFor(
      'the expired to be gone',
      async () => [...(await tablesWith(database, first)), ...(await tablesWith(database, second))].length === 0,
    );
    expect(await tablesWith(database, later)).toEqual(['public.entry']);
    const rows = await database.query(
      'select seq, body is null as gone, client_msg_id as name from entry where conversation_id = $1 order by seq',
      [id],
    );
    expect(rows.map((row) => [row.seq, row.gone, row.name]).slice(1)).toEqual([
      ['2', true, 'm'],
      ['3', false, 'kept'],
      ['4', true, null],
      ['5', false, null],
    ]);
    const again = await server.as(app, 'ann')('POST', `/v1/conversations/${id}/messages`, {
      clientMsgId: 'm',
      body: { text: first },
      mentions: ['bob'],
      expiresIn: 60,
    });
    expect([again.status, again.body.seq]).toEqual([200, 2]);
  });
});

describe('retention', () => {
  it('moves the beginning of the log, takes the content away, and has copies elsewhere dropped', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    await using server = await startApiServer(database, { config: { jobs: quickJobs } });
    const ann = server.as(app, 'ann');
    const [id, untouched] = [await group(ann), await group(ann)];
    const [old, young] = [newCanary(), newCanary()];
    for (const conversation of [id, untouched]) {
      await ann('POST', `/v1/conversations/${conversation}/messages`, { clientMsgId: 'old', body: { text: old } });
      await ann('POST', `/v1/conversations/${conversation}/messages`, { clientMsgId: 'young', body: { text: young } });
    }
    await database.query(`update entry set created_at = created_at - interval '2 days' where seq <= 2`);
    const heard = await listenToConversation(server.bus, 'demo', id);
    expect((await ann('PATCH', `/v1/conversations/${id}`, { retentionSeconds: 86_400 })).status).toBe(200);
    await waitFor('the control message', () =>
      heard.messages.some((message) => message.kind === 'control' && message.conversationId === id && message.head === 4),
    );
    expect((await ann('GET', `/v1/conversations/${id}`)).body.conversation).toMatchObject({ oldestSeq: 3, lastSeq: 4 });
    expect((await ann('GET', `/v1/conversations/${untouched}`)).body.conversation).toMatchObject({ oldestSeq: 1, lastSeq: 3 });
    const bodies = await database.query('select seq from entry where conversation_id = $1 and body::text like $2', [id, `%${old}%`]);
    expect(bodies).toEqual([]);
    expect(await tablesWith(database, young)).toEqual(['public.entry']);
    const [bob] = await database.query<{ read_seq: string }>(`select read_seq from member where conversation_id = $1 and user_id = 'bob'`, [
      id,
    ]);
    expect(bob?.read_seq).toBe('2');
  });
});

describe('retention while the bus refuses', () => {
  it('goes on, and has copies elsewhere dropped when the bus takes messages again', async () => {
    await using database = await createTestDatabase();
    const app = await createTestApp(database, 'demo', ['ann', 'bob']);
    const bus = new RefusingBus();
    const sweeper = { intervalMs: 100, ageMs: 0, rowTimeoutMs: 5_000 };
    await using server = await startApiServer(database, { bus, config: { jobs: quickJobs, sweeper } });
    const ann = server.as(app, 'ann');
    const ids = [await group(ann), await group(ann)];
    const old = newCanary();
    for (const id of ids) await ann('POST', `/v1/conversations/${id}/messages`, { clientMsgId: 'old', body: { text: old } });
    for (const id of ids) expect((await ann('PATCH', `/v1/conversations/${id}`, { retentionSeconds: 86_400 })).status).toBe(200);
    await waitFor('an empty outbox', async () => (await database.query('select from outbox')).length === 0);
    const heard = await Promise.all(ids.map((id) => listenToConversation(bus, 'demo', id)));

    bus.refusing = true;
    for (const id of ids) {
      await database.query(`update entry set created_at = created_at - interval '2 days' where conversation_id = $1 and seq <= 2`, [id]);
      await waitFor('the content to go', async () => {
        const [row] = await database.query('select oldest_seq from conversation where id = $1', [id]);
        return row?.oldest_seq === '3';
      });
    }
    expect(await tablesWith(database, old)).toEqual([]);
    expect(heard.map(({ messages }) => messages)).toEqual([[], []]);
    expect(await database.query(`select from jobs.job where state in ('failed', 'retry')`)).toEqual([]);

    bus.refusing = false;
    for (const [i, { messages }] of heard.entries()) {
      await waitFor('the control message', () =>
        messages.some((message) => message.kind === 'control' && message.conversationId === ids[i] && message.head === 3),
      );
    }
    await waitFor('an empty outbox', async () => (await database.query('select from outbox')).length === 0);
  });
});

describe('background jobs of several instances', () => {
  it('are asked for once in each slot of time, and done by one of them', async () => {
    await using database = await createTestDatabase();
    await createTestApp(database, 'demo', ['ann']);
    await using _one = await startApiServer(database, { config: { jobs: quickJobs } });
    await using _two = await startApiServer(database, { config: { jobs: quickJobs } });
    const runs = async () =>
      database.query<{ slot: string; count: string; done: boolean }>(
        `select singleton_on::text as slot, count(*) as count, bool_and(state = 'completed') as done
         from jobs.job where name = 'periodic' and data ->> 'name' = 'expiry' group by 1 order by 1`,
      );
    const seen = await waitFor('three finished runs', async () => {
      const done = (await runs()).filter((run) => run.done);
      return done.length >= 3 && done;
    });
    expect(seen.every((run) => run.count === '1')).toBe(true);
    const failed = await database.query(`select from jobs.job where state in ('failed', 'retry')`);
    expect(failed).toEqual([]);
  });
});
