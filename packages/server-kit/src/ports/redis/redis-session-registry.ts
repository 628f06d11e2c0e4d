import { randomUUID } from 'node:crypto';
import type { Presence } from '@nudge/types';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { SessionRecord, SessionRegistry } from '../session-registry.ts';
import type { RedisCommands, RedisConnection } from './connection.ts';
import { buryRecords, endLeases, putSession, readLeases, removeSession, renewLease } from './registry-scripts.ts';
import { decodeLeases, encodeRecord, fieldOf, presenceOf, readUser, type UserState } from './session-record.ts';

export interface RedisSessionRegistryOptions {
  readonly connection: RedisConnection;
  readonly log?: Logger;
  readonly prefix?: string;
  /** Instead of the clock of the server that holds the leases, so that tests need not wait. */
  readonly clock?: Clock;
}

const dayMs = 86_400_000;
/** How long a user's hash lives after the last session was put or removed: it forgets who does not come back. */
const rememberedMs = 30 * dayMs;
/** How long the end of a dead gateway is known. */
const endedMs = dayMs;

/**
 * One hash per user, so that nothing spans slots: a field per session, and when the user was last seen. Which records count is decided by one
 * sorted set of leases, read in the same round trip. A gateway's lease has a name of its own from start to loss: what was put under an older
 * one never counts again. Times are those of the server that holds the leases.
 *
 * Presence is a courtesy: while Redis is away, what is to be written is dropped, everyone is offline and nobody has sessions; no call
 * rejects. The first renewal afterwards tells `onLost`, and so does one that finds the lease, or the sentinel of any master, missing (FLUSHALL,
 * a failover that lost writes): the gateway then puts its sessions again, at its own pace.
 */
export class RedisSessionRegistry implements SessionRegistry {
  readonly #connection: RedisConnection;
  readonly #log: Logger | undefined;
  readonly #prefix: string;
  readonly #clock: Clock | undefined;
  /** Gateway -> the lease under which its records are put. */
  readonly #leases = new Map<string, string>();
  readonly #sentinels = new Set<string>();
  readonly #lost = new Set<(gatewayId: string) => void>();
  readonly #burials = new Set<Promise<unknown>>();
  /** Something could not be written: what is stored of our sessions may be wrong. */
  #missed = false;

  constructor(options: RedisSessionRegistryOptions) {
    this.#connection = options.connection;
    this.#log = options.log;
    this.#prefix = options.prefix ?? options.connection.prefix;
    this.#clock = options.clock;
  }

  /** Without any listener, old records count again once the lease is renewed. */
  onLost(listener: (gatewayId: string) => void): () => void {
    const own = (gatewayId: string) => listener(gatewayId);
    this.#lost.add(own);
    return () => void this.#lost.delete(own);
  }

  async renewLease(gatewayId: string, ttlMs: number): Promise<void> {
    const present = this.#leases.get(gatewayId);
    const held = present ?? newLease(gatewayId);
    const next = present !== undefined && this.#lost.size > 0 ? newLease(gatewayId) : held;
    this.#leases.set(gatewayId, held);
    const outcome = await this.#softly(async (commands) => {
      const missed = this.#missed;
      if (missed && next !== held) await endLeases.run(commands, [this.#leasesKey], [`${gatewayId} `, this.#now]);
      const [wentOn, sentinelsStand] = await Promise.all([
        renewLease.run(commands, [this.#leasesKey], [held, next, ttlMs, endedMs, this.#now]),
        this.#renewSentinels(commands, gatewayId, ttlMs),
      ]);
      return { lapsed: wentOn !== 1, lost: missed || !sentinelsStand };
    });
    if (outcome === undefined) return;
    this.#missed = false;
    if (outcome.lapsed) this.#leases.set(gatewayId, next);
    if (outcome.lost || (outcome.lapsed && present !== undefined)) this.#tellLost(gatewayId);
  }

  async dropLease(gatewayId: string): Promise<void> {
    this.#leases.delete(gatewayId);
    await this.#softly((commands) => endLeases.run(commands, [this.#leasesKey], [`${gatewayId} `, this.#now]));
  }

  async put(record: SessionRecord): Promise<void> {
    const text = encodeRecord(record, this.#leases.get(record.gatewayId) ?? '');
    const key = this.#userKey(record.appId, record.userId);
    await this.#softly((commands) => putSession.run(commands, [key], [fieldOf(record.sessionId), text, rememberedMs]));
  }

  async remove(appId: string, userId: string, sessionId: string): Promise<{ lastSeenAt: number }> {
    const key = this.#userKey(appId, userId);
    const now = await this.#softly((commands) => removeSession.run(commands, [key], [fieldOf(sessionId), rememberedMs, this.#now]));
    return { lastSeenAt: now === undefined ? Date.now() : Number(now) };
  }

  async sessionsOf(appId: string, userId: string): Promise<SessionRecord[]> {
    const [state] = await this.#read(appId, [userId]);
    return [...(state?.live ?? [])];
  }

  async presenceOf(appId: string, userIds: readonly string[], viewerId?: string): Promise<Presence[]> {
    if (userIds.length === 0) return [];
    const states = await this.#read(appId, userIds);
    return userIds.map((userId, at) => {
      const state = states[at];
      return state === undefined ? { userId, status: 'offline' } : presenceOf(userId, state, userId === viewerId);
    });
  }

  async forgetLastSeen(appId: string, userId: string): Promise<void> {
    const key = this.#userKey(appId, userId);
    // Dead records go as well: the end of their gateway would tell when the user was last seen.
    const [state] = await this.#read(appId, [userId], false);
    await this.#softly(async (commands) => {
      await commands.hdel(key, 'seen');
      if (state !== undefined && state.dead.length > 0) await buryRecords.run(commands, [key], ['', rememberedMs, ...state.dead.flat()]);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lost.clear();
    await Promise.all(this.#burials);
  }

  /** Last argument of the scripts that look at the time: empty for the server's. */
  get #now(): string {
    return this.#clock === undefined ? '' : String(this.#clock.now());
  }

  get #leasesKey(): string {
    return `${this.#prefix}leases`;
  }

  #userKey(appId: string, userId: string): string {
    return `${this.#prefix}user/${appId}/${userId}`;
  }

  /** States in the order asked; none when Redis is away. Records of dead gateways are taken out on the way, unless told not to. */
  async #read(appId: string, userIds: readonly string[], bury = true): Promise<UserState[]> {
    const keys = userIds.map((userId) => this.#userKey(appId, userId));
    const read = await this.#softly(
      (commands) => Promise.all([readLeases.run(commands, [this.#leasesKey], [this.#now]), this.#hashes(commands, keys)]),
      false,
    );
    if (read === undefined) return [];
    const leases = decodeLeases(read[0]);
    return userIds.map((userId, at) => {
      const key = keys[at] ?? '';
      const state = readUser(appId, userId, read[1].get(key) ?? {}, leases);
      if (bury && state.dead.length > 0) this.#bury(key, state);
      return state;
    });
  }

  /** All hashes in one round trip: one pipeline per master. */
  async #hashes(commands: RedisCommands, keys: readonly string[]): Promise<Map<string, Record<string, string>>> {
    const byNode = Map.groupBy(new Set(keys), (key) => this.#connection.nodeOfKey(key));
    const hashes = new Map<string, Record<string, string>>();
    await Promise.all(
      [...byNode.values()].map(async (group) => {
        const pipeline = commands.pipeline();
        for (const key of group) pipeline.hgetall(key);
        const results = (await pipeline.exec()) ?? [];
        group.forEach((key, at) => {
          const [error, hash] = results[at] ?? [];
          if (error) throw error;
          hashes.set(key, hash as Record<string, string>);
        });
      }),
    );
    return hashes;
  }

  #bury(key: string, { dead, deadSince }: UserState): void {
    const burial = this.#softly((commands) => buryRecords.run(commands, [key], [deadSince ?? '', rememberedMs, ...dead.flat()]), false);
    this.#burials.add(burial);
    void burial.finally(() => this.#burials.delete(burial));
  }

  /**
   * Writes one key on every master of a Cluster, since the leases show the loss of their own master only. Answers false when one that was
   * written before is gone.
   */
  async #renewSentinels(commands: RedisCommands, gatewayId: string, ttlMs: number): Promise<boolean> {
    if (this.#connection.kind === 'standalone') return true;
    const keys = this.#connection.nodes.map((node) => this.#connection.keyOn(node, (at) => `${this.#prefix}sentinel/${gatewayId}/${at}`));
    const stand = await Promise.all(
      keys.map(async (key) => {
        if (key === undefined) return true;
        // It outlives the lease, so that a lease that merely lapsed is not taken for lost data.
        const before = await commands.set(key, '1', 'PX', ttlMs * 10, 'GET');
        const known = this.#sentinels.has(key);
        this.#sentinels.add(key);
        return before !== null || !known;
      }),
    );
    return stand.every(Boolean);
  }

  #tellLost(gatewayId: string): void {
    this.#log?.warn({ gatewayId }, 'the session registry lost this gateway: its sessions are to be put again');
    for (const listener of this.#lost) {
      try {
        listener(gatewayId);
      } catch (error) {
        this.#log?.error({ err: error }, 'a registry listener failed');
      }
    }
  }

  async #softly<Value>(work: (commands: RedisCommands) => Promise<Value>, writes = true): Promise<Value | undefined> {
    try {
      return await this.#connection.run(work);
    } catch (error) {
      this.#missed ||= writes;
      this.#connection.reported(error);
      return undefined;
    }
  }
}

/** Gateway ids hold no blank. */
function newLease(gatewayId: string): string {
  return `${gatewayId} ${randomUUID()}`;
}
