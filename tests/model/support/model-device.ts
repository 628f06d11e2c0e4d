import { MemoryStorage, NudgeClient } from '@nudge/client';
import type { Entry } from '@nudge/types';
import type { FaultyTransport } from './faulty-transport.ts';

/** A device under test: what its listener was told, kept beside what its client stores, so that the two can be compared. */
export class ModelDevice {
  readonly name: string;
  readonly userId: string;
  readonly client: NudgeClient;
  readonly transport: FaultyTransport;
  /** Seqs handed out since the last break (range or drop), and every breach of order among them. */
  readonly #told = new Map<string, number>();
  readonly breaches: string[] = [];
  online = false;

  constructor(options: { url: string; token: string; userId: string; name: string; transport: FaultyTransport; random: () => number }) {
    const { url, token, userId, name, transport, random } = options;
    this.name = name;
    this.userId = userId;
    this.transport = transport;
    this.client = new NudgeClient({ url, token, deviceId: name, transport, random, storage: new MemoryStorage({ entriesPerLog: 10_000 }) });
    this.client.on('entry', ({ conversationId, entry }) => this.#hear(conversationId, entry));
    this.client.on('range', ({ conversationId, from }) => this.#told.set(conversationId, from - 1));
    this.client.on('dropped', ({ log }) => this.#told.delete(log.slice(2)));
  }

  #hear(conversationId: string, entry: Entry): void {
    const last = this.#told.get(conversationId);
    if (last !== undefined && entry.seq !== last + 1) this.breaches.push(`${this.name}: ${last} -> ${entry.seq}`);
    this.#told.set(conversationId, entry.seq);
  }

  async goOnline(): Promise<void> {
    if (this.online) return;
    this.online = true;
    await this.client.connect();
  }

  goOffline(): void {
    this.online = false;
    this.client.disconnect();
  }

  /** The whole history this device can have, fetched backwards to its beginning. */
  async wholeHistory(conversationId: string): Promise<readonly Entry[]> {
    while ((await this.client.loadBefore(conversationId, 50)).length > 0);
    return this.client.entries(conversationId);
  }
}
