import { randomBytes, randomUUID } from 'node:crypto';
import { type AppendOp, append, createConversation, createPool, type Pool } from '@nudge/db';
import {
  AppDirectory,
  type AppKey,
  type BusMessage,
  type Clock,
  conversationTopic,
  createHttpHost,
  createLogger,
  createMetrics,
  createOriginPolicy,
  createPipeline,
  createServerKeyVerifier,
  createTokenVerifier,
  MemoryBus,
  MemoryRateLimiter,
  type Metrics,
  mintToken,
  systemClock,
} from '@nudge/server-kit';
import type { ManualClock } from '@nudge/server-kit/testing';
import { createSync, createSyncStores, type SyncConfig, type SyncStores, syncConfig } from '@nudge/sync';
import { defaultLimits, type EntriesPage, type HeadsPage, type Limits, type SyncAnswer } from '@nudge/types';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** An answer over HTTP, its text as it came and parsed. */
export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: T & { readonly code?: string; readonly retryable?: boolean };
}

export interface Reader {
  entries(conversationId: string, query?: string): Promise<Answer<EntriesPage>>;
  sync(body: unknown): Promise<Answer<SyncAnswer>>;
  heads(query?: string): Promise<Answer<HeadsPage>>;
  get<T = Record<string, unknown>>(path: string, signal?: AbortSignal): Promise<Answer<T>>;
}

export interface SyncServer extends AsyncDisposable {
  readonly url: string;
  readonly bus: MemoryBus;
  readonly metrics: Metrics;
  as(userId: string, appId?: string): Reader;
}

export interface SyncServerOptions {
  readonly limits?: Partial<Limits>;
  readonly config?: Partial<SyncConfig>;
  /** Of what pulls wait for and trust. */
  readonly clock?: Clock;
  /** Connection strings. */
  readonly primary?: string;
  readonly replicas?: readonly string[];
  /** Wraps the stores, to watch or to delay what reaches the database. */
  readonly stores?: (stores: SyncStores) => SyncStores;
}

/** A database with two apps whose users have the same names, written to as the API would. */
export interface World extends AsyncDisposable {
  readonly database: TestDatabase;
  /** As the writing side has it. */
  readonly pool: Pool;
  /** A group unless told otherwise; the first member created it. */
  conversation(
    members: readonly string[],
    options?: { history?: 'full' | 'since_join'; type?: 'group' | 'direct'; appId?: string },
  ): Promise<string>;
  /** Sends messages and returns the last seq. */
  send(conversationId: string, senderId: string, count?: number, appId?: string): Promise<number>;
  /** A membership change by the owner or, for a leaving, by the user. */
  put(conversationId: string, owner: string, userId: string): Promise<number>;
  leave(conversationId: string, userId: string): Promise<number>;
  /** A message with everything it may carry, as `extra` of an append. */
  say(conversationId: string, senderId: string, text: string, extra?: unknown): Promise<number>;
  /** An act on a message, or with target null on the conversation. Null when it would change nothing. */
  act(
    conversationId: string,
    actor: string,
    type: AppendOp,
    target: number | null,
    body?: unknown,
    extra?: unknown,
  ): Promise<number | null>;
  serve(options?: SyncServerOptions): Promise<SyncServer>;
}

export const APPS = ['one', 'two'];

export async function createWorld(): Promise<World> {
  const opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const pool = createPool({ connectionString: database.connectionString, applicationName: 'nudge-test-writer', max: 4 });
  opened.defer(() => pool.end());
  const keys = new Map<string, AppKey>();
  for (const id of APPS) {
    const secret = randomBytes(32).toString('hex');
    await database.query('insert into app (id, name) values ($1, $1)', [id]);
    await database.query(`insert into app_key (app_id, kid, kind, secret) values ($1, $2, 'hs256', $3)`, [id, `${id}.1`, secret]);
    keys.set(id, { appId: id, kid: `${id}.1`, kind: 'hs256', secret, scopes: [], retiredAt: null });
  }
  const write = writer(pool);
  return {
    database,
    pool,
    ...write,
    async conversation(members, options = {}) {
      const { history = 'full', type = 'group', appId = 'one' } = options;
      const [createdBy = '', ...others] = members;
      const id = randomUUID();
      await createConversation(pool, {
        id,
        appId,
        type,
        createdBy,
        members: others,
        title: null,
        metadata: null,
        history,
        outboxId: randomUUID(),
      });
      for (const userId of members) await mirror(database, appId, userId, id);
      return id;
    },
    serve: async (options = {}) => serve(database, keys, options),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** The joined row of the user's feed, by which heads find their conversations. */
async function mirror(database: TestDatabase, appId: string, userId: string, conversationId: string): Promise<void> {
  await database.query('insert into chat_user (app_id, id) values ($1, $2) on conflict do nothing', [appId, userId]);
  await database.query(
    `with u as (update chat_user set feed_version = feed_version + 1 where app_id = $1 and id = $2 returning feed_version)
     insert into feed (app_id, user_id, subject, version, src_version, state)
       select $1, $2, 'member/' || $3, feed_version, 1, '{"role": "member", "state": "joined", "joinedSeq": 1}' from u`,
    [appId, userId, conversationId],
  );
}

interface Said {
  readonly appId?: string;
  readonly body?: unknown;
  readonly target?: number | null;
  readonly extra?: unknown;
}

function writer(pool: Pool): Pick<World, 'send' | 'put' | 'leave' | 'say' | 'act'> {
  let sent = 0;
  const write = async (conversationId: string, senderId: string, type: string, said: Said): Promise<number | null> => {
    const { appId = 'one', body = null, target = null, extra } = said;
    sent += 1;
    const [result] = await append(pool, {
      route: conversationId,
      outboxId: randomUUID(),
      inputs: [
        {
          appId,
          conversationId,
          senderId,
          clientMsgId: type === 'message' ? `m${sent}` : null,
          contentHash: Buffer.from([sent & 255]),
          type,
          body: body === null ? null : JSON.stringify(body),
          targetSeq: target,
          countable: type === 'message',
          mode: 'interactive',
          extra: extra === undefined ? null : JSON.stringify(extra),
        },
      ],
    });
    if (result?.status === 'unchanged') return null;
    if (result?.status !== 'ok' || result.seq === null) throw new Error(`${type} was answered ${result?.status}`);
    return result.seq;
  };
  const one = async (conversationId: string, senderId: string, type: string, said: Said): Promise<number> => {
    const seq = await write(conversationId, senderId, type, said);
    if (seq === null) throw new Error(`${type} changed nothing`);
    return seq;
  };
  return {
    async send(conversationId, senderId, count = 1, appId = 'one') {
      let seq = 0;
      for (let i = 0; i < count; i += 1) seq = await one(conversationId, senderId, 'message', { appId, body: { text: `text ${sent}` } });
      return seq;
    },
    put: (conversationId, owner, userId) => one(conversationId, owner, 'member.put', { body: { userId } }),
    leave: (conversationId, userId) => one(conversationId, userId, 'member.remove', { body: { userId } }),
    say: (conversationId, senderId, text, extra) => one(conversationId, senderId, 'message', { body: { text }, extra }),
    act: (conversationId, actor, type, target, body, extra) => write(conversationId, actor, type, { target, body, extra }),
  };
}

async function serve(database: TestDatabase, keys: ReadonlyMap<string, AppKey>, options: SyncServerOptions): Promise<SyncServer> {
  const opened = new AsyncDisposableStack();
  // A pull whose statement or connection is late waits for it: that it is answered for good is for tests that mean it.
  const limits: Limits = { ...defaultLimits, readsPer10Seconds: 1_000_000, waitForMinMs: 20_000, ...options.limits };
  const log = createLogger({ name: 'sync-test', level: process.env.TEST_LOG === 'debug' ? 'debug' : 'fatal' });
  const open = (connectionString: string): Pool => {
    const pool = createPool({ connectionString, applicationName: 'nudge-test-sync', max: 8, connectTimeoutMs: 20_000 });
    opened.defer(() => pool.end());
    return pool;
  };
  const metrics = opened.use(createMetrics());
  const bus = opened.use(new MemoryBus());
  const primary = open(options.primary ?? database.connectionString);
  const replicas = (options.replicas ?? []).map(open);
  const apps = APPS.map((id) => ({ id, epoch: 1 }));
  const directory = opened.use(new AppDirectory({ load: async () => ({ apps, keys: [...keys.values()] }), log }));
  await directory.start();
  const plain = createSyncStores({ primary, replicas });
  const stores = options.stores?.(plain) ?? plain;
  const clock = options.clock ?? systemClock;
  const sync = opened.use(createSync({ config: syncConfig(options.config), limits, stores, bus, directory, metrics, log, clock }));
  const pipeline = createPipeline({
    tokens: createTokenVerifier({ directory, limits }),
    serverKeys: createServerKeyVerifier({ directory }),
    limiter: new MemoryRateLimiter(),
    limits,
    metrics,
    log,
    directory,
  });
  const origins = createOriginPolicy({ allowed: [], localhost: false });
  const ready = [sync.ready];
  const host = opened.use(
    createHttpHost({ pipeline, hot: sync.hot, routes: sync.routes, origins, ready, log, limits, port: 0, host: '127.0.0.1' }),
  );
  await sync.start();
  const { url } = await host.start();
  return {
    url,
    bus,
    metrics,
    as(userId, appId = 'one') {
      const key = keys.get(appId);
      if (key === undefined) throw new Error(`no app ${appId}`);
      return reader(url, mintToken({ key, userId, ttlSeconds: 3600 }).token);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function reader(url: string, token: string): Reader {
  const call = async <T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer<T>> => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as Answer<T>['body'] };
  };
  return {
    entries: (conversationId, query = '') => call('GET', `/v1/sync/conversations/${conversationId}/entries${query}`),
    sync: (body) => call('POST', '/v1/sync', body),
    heads: (query = '') => call('GET', `/v1/sync/conversations${query}`),
    get: (path, signal) => call('GET', path, undefined, signal),
  };
}

/** Tells caches that members changed, as the API does after the commit. */
export function sayMembersChanged(server: SyncServer, conversationId: string, memberVersion: number, head: number): Promise<void> {
  const message: BusMessage = { kind: 'control', conversationId, memberVersion, head };
  return server.bus.publish([{ topic: conversationTopic('one', conversationId), message }]);
}

/** The outcome, while time goes by in steps of `stepMs`: what it waits for begins to count whenever it comes to that. */
export async function asTimePasses<T>(clock: ManualClock, stepMs: number, work: Promise<T>): Promise<T> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  work.then(settle, settle);
  await waitFor('the outcome', () => {
    clock.advance(stepMs);
    return settled;
  });
  return work;
}

/** The seqs of a page. */
export const seqs = (page: { readonly entries: readonly { readonly seq: number }[] }): number[] => page.entries.map(({ seq }) => seq);

/** `from` to `to`. */
export const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
