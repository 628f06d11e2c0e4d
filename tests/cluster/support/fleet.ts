import { MemoryStorage, NudgeClient } from '@nudge/client';
import type { Control } from '@nudge/types';
import { httpClient } from '../../protocol/support/http.ts';
import type { TestApp } from '../../support/seed.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Stack } from './stack.ts';

/** A conversation and who is in it. */
export interface Group {
  readonly id: string;
  readonly users: readonly string[];
}

/** What a device was handed of one conversation: in order, each once. */
export interface Told {
  readonly seq: number;
  readonly clientMsgId: string | null;
  readonly text: unknown;
}

/** A real client that finds its gateway by the dispatcher, and keeps what its listeners were told. */
export class Device {
  readonly appId: string;
  readonly userId: string;
  readonly name: string;
  readonly client: NudgeClient;
  readonly told = new Map<string, Told[]>();
  /** The highest seq that a key named, by log. */
  readonly keys = new Map<string, number>();
  /** Breaches of order, and whatever else a client must never see. */
  readonly breaches: string[] = [];
  readonly connections: {
    readonly sessionId: string;
    readonly gatewayId: string;
    readonly url: string;
    readonly resumed: boolean;
    readonly at: number;
  }[] = [];
  readonly controls: Control[] = [];
  /** The server's last word, when it wants the client back no more. */
  stopped: { readonly at: number; readonly reason: string } | undefined;
  lastKeyAt = 0;
  /** Whether all that it began with was pulled. */
  isCurrent = false;
  /** Attempts to connect that failed, and connections that ended. */
  readonly losses: { readonly code: string; readonly retryInMs: number }[] = [];

  constructor(options: { url: string; app: TestApp; userId: string; name: string; gateways?: readonly string[] | undefined }) {
    const { url, app, userId, name, gateways } = options;
    this.appId = app.id;
    this.userId = userId;
    this.name = name;
    this.client = new NudgeClient({
      url,
      gateways: gateways === undefined ? 'dispatcher' : { gateways, sync: url },
      token: app.token(userId),
      deviceId: name,
      storage: new MemoryStorage({ entriesPerLog: 100_000 }),
      tuning: { viewEntries: 100_000 },
    });
    this.client.on('entry', ({ conversationId, entry }) => {
      const told = this.told.get(conversationId) ?? [];
      this.told.set(conversationId, told);
      const last = told.at(-1)?.seq;
      if (last !== undefined && entry.seq !== last + 1) this.breaches.push(`${name}: told ${entry.seq} after ${last}`);
      told.push({ seq: entry.seq, clientMsgId: entry.clientMsgId ?? null, text: entry.body?.text });
    });
    this.client.on('range', ({ conversationId, from }) => {
      if ((this.told.get(conversationId)?.length ?? 0) > 0) this.breaches.push(`${name}: a hole before ${from}`);
    });
    this.client.on('dropped', ({ log, reason }) => this.breaches.push(`${name}: ${log} dropped: ${reason}`));
    this.client.on('connected', ({ sessionId, gatewayId, url: at, resumed }) => {
      this.connections.push({ sessionId, gatewayId, url: at, resumed, at: performance.now() });
    });
    this.client.on('current', () => {
      this.isCurrent = true;
    });
    this.client.on('disconnected', ({ error, retryInMs }) => this.losses.push({ code: error.code, retryInMs }));
    this.client.on('control', (control) => this.controls.push(control));
    this.client.on('key', ({ log, seq }) => {
      this.keys.set(log, Math.max(seq, this.keys.get(log) ?? 0));
      this.lastKeyAt = performance.now();
    });
    this.client.on('stopped', ({ error, said }) => {
      this.stopped = { at: performance.now(), reason: said?.reason ?? error.code };
    });
  }

  get gatewayUrl(): string | undefined {
    return this.connections.at(-1)?.url;
  }
}

/** Groups of users with several devices each, all online. */
export interface Fleet extends AsyncDisposable {
  readonly groups: readonly Group[];
  readonly devices: readonly Device[];
  /** Online too, and in none of the groups: a user of the same app, and one of another app who has the id of a member. */
  readonly outsiders: readonly Device[];
  /** Adds devices to the fleet and brings them online, on gateways of the caller's choice or where the dispatcher sends them. */
  add(userId: string, names: readonly string[], gateways?: readonly string[]): Promise<Device[]>;
}

export interface FleetOptions {
  readonly groups?: number;
  readonly usersPerGroup?: number;
  readonly devicesPerUser?: number;
}

export async function startFleet(stack: Pick<Stack, 'url' | 'app' | 'otherApp'>, options: FleetOptions = {}): Promise<Fleet> {
  const { groups: groupCount = 3, usersPerGroup = 4, devicesPerUser = 2 } = options;
  const http = httpClient(stack.url);
  const groups: Group[] = [];
  for (let g = 0; g < groupCount; g += 1) {
    const users = Array.from({ length: usersPerGroup }, (_, n) => `g${g}u${n}`);
    await http.call('upsertUsers', { token: stack.app.serverKey, body: { users: users.map((id) => ({ id })) } });
    const body = { type: 'group', title: `group ${g}`, members: users.slice(1) };
    const created = (await http.call('createConversation', { token: stack.app.token(users[0] ?? ''), body })).ok();
    groups.push({ id: created.conversation.id, users });
  }
  const devices: Device[] = [];
  const open = new AsyncDisposableStack();
  const add = async (userId: string, names: readonly string[], gateways?: readonly string[]) => {
    const added = names.map((name) => {
      const device = new Device({ url: stack.url, app: stack.app, userId, name, gateways });
      open.defer(() => device.client.close());
      return device;
    });
    await Promise.all(added.map((device) => device.client.connect()));
    devices.push(...added);
    return added;
  };
  const outsiders: Device[] = [];
  try {
    for (const [app, userId] of [[stack.app, 'outsider'] as const, [stack.otherApp, groups[0]?.users[0] ?? 'outsider'] as const]) {
      const device = new Device({ url: stack.url, app, userId, name: `outsider-of-${app.id}` });
      open.defer(() => device.client.close());
      await device.client.connect();
      const body = { type: 'group', title: 'of nobody else' };
      const { conversation } = (await http.call('createConversation', { token: app.token(userId), body })).ok();
      await waitFor('an outsider to hear what is its own', () => device.keys.has(`c/${conversation.id}`));
      outsiders.push(device);
    }
    for (const { users } of groups) {
      for (const userId of users)
        await add(
          userId,
          Array.from({ length: devicesPerUser }, (_, d) => `${userId}d${d}`),
        );
    }
    await waitFor(
      'all devices to have their conversation',
      () => devices.every((device) => groups.every(({ id, users }) => !users.includes(device.userId) || device.client.cursor(id) !== null)),
      { timeoutMs: 60_000 },
    );
  } catch (error) {
    await open.disposeAsync();
    throw error;
  }
  return { groups, devices, outsiders, add, [Symbol.asyncDispose]: () => open.disposeAsync() };
}
