import { randomBytes } from 'node:crypto';
import { readLimits } from '@nudge/server-kit';
import { type Conversation, type Entry, parseLog } from '@nudge/types';
import { afterAll, beforeAll } from 'vitest';
import type { TestApp } from '../../support/seed.ts';
import { type System, type SystemOptions, startSystem } from '../../support/system.ts';
import { type HttpClient, httpClient, type Request, type Success } from './http.ts';
import { connectDevice, type Device, type SocketOptions } from './socket.ts';

/** A user with a token at hand. */
export interface Person {
  readonly id: string;
  readonly token: string;
}

export interface NewConversation {
  readonly type?: 'direct' | 'group' | 'channel';
  readonly members?: readonly Person[];
  readonly history?: 'full' | 'since_join';
  readonly title?: string;
  readonly key?: string;
}

/** What the tests of one file share: a system, and shorthand for what a client does to it. */
export interface World {
  readonly system: System;
  readonly http: HttpClient;
  /** Users that exist, with names nobody else in the file has. */
  people<const Names extends readonly string[]>(...names: Names): Promise<{ readonly [Index in keyof Names]: Person }>;
  /** The same in an app of one's choice, under exactly these ids. */
  peopleOf(app: TestApp, ids: readonly string[]): Promise<Person[]>;
  create(owner: Person, conversation?: NewConversation): Promise<Conversation>;
  /** Sends and returns the seq. */
  send(sender: Person, conversationId: string, text?: string): Promise<number>;
  /** Sends `count` messages one after the other; returns the last seq. */
  sendMany(sender: Person, conversationId: string, count: number): Promise<number>;
  entries(reader: Person, conversationId: string, query?: Request['query']): Promise<Success<'listEntries'>>;
  sync(reader: Person, body: unknown): Promise<Success<'sync'>>;
  head(reader: Person, conversationId: string): Promise<Success<'listHeads'>['items'][number] | undefined>;
  device(person: Person, options?: Partial<SocketOptions>): Promise<Device>;
}

/** Starts a system before the tests of the file and stops it after them. What it returns may be used inside of tests only. */
export function useWorld(options: SystemOptions = {}): World {
  let system: System | undefined;
  let client: HttpClient | undefined;
  const devices = new Set<Device>();
  const running = (): System => {
    if (system === undefined) throw new Error('the system has not been started');
    return system;
  };
  const http = (): HttpClient => {
    client ??= httpClient(running().url, readLimits(options.env ?? {}));
    return client;
  };
  beforeAll(async () => {
    system = await startSystem(options);
  });
  afterAll(async () => {
    for (const device of devices) device[Symbol.dispose]();
    await system?.[Symbol.asyncDispose]();
  });

  const world: World = {
    get system() {
      return running();
    },
    get http() {
      return http();
    },
    async people(...names) {
      const suffix = randomBytes(4).toString('hex');
      const made = await world.peopleOf(
        running().app,
        names.map((name) => `${name}-${suffix}`),
      );
      return made as unknown as { readonly [Index in keyof typeof names]: Person };
    },
    async peopleOf(app, ids) {
      const answer = await http().call('upsertUsers', { token: app.serverKey, body: { users: ids.map((id) => ({ id })) } });
      answer.ok(200);
      return ids.map((id) => ({ id, token: app.token(id) }));
    },
    async create(owner, { type = 'group', members = [], ...rest } = {}) {
      const body = { type, members: members.map(({ id }) => id), ...rest };
      return (await http().call('createConversation', { token: owner.token, body })).ok().conversation;
    },
    async send(sender, conversationId, text = 'hello') {
      const body = { clientMsgId: randomBytes(8).toString('hex'), body: { text } };
      return (await http().call('sendMessage', { token: sender.token, params: { conversationId }, body })).ok(201).seq;
    },
    async sendMany(sender, conversationId, count) {
      let seq = 0;
      for (let n = 0; n < count; n += 1) seq = await world.send(sender, conversationId, `m${n}`);
      return seq;
    },
    async entries(reader, conversationId, query = {}) {
      return (await http().call('listEntries', { token: reader.token, params: { conversationId }, query })).ok(200);
    },
    async sync(reader, body) {
      return (await http().call('sync', { token: reader.token, body })).ok(200);
    },
    async head(reader, conversationId) {
      const { items } = (await http().call('listHeads', { token: reader.token, query: { limit: http().limits.pageEntries } })).ok(200);
      return items.find(({ id }) => id === conversationId);
    },
    async device(person, deviceOptions = {}) {
      const device = await connectDevice(running().url, { token: person.token, ...deviceOptions });
      devices.add(device);
      return device;
    },
  };
  return world;
}

/** Seqs of entries, in order. */
export const seqs = (entries: readonly Pick<Entry, 'seq'>[]): number[] => entries.map(({ seq }) => seq);

/** The whole numbers from `first` to `last`. */
export const range = (first: number, last: number): number[] => Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);

/** Logs that were named in what a device heard, by kind. */
export const logsHeard = (device: Device, kind: 'conversation' | 'feed' | 'app'): Set<string> =>
  new Set(device.heard('notify').flatMap(({ keys }) => keys.flatMap(([log]) => (parseLog(log)?.kind === kind ? [log] : []))));
