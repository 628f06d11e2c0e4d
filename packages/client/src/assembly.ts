import { systemClock } from './clock.ts';
import { Emitter } from './emitter.ts';
import { Endpoints } from './endpoints.ts';
import { asNudgeError } from './errors.ts';
import type { ClientEvents } from './events.ts';
import { Http } from './http.ts';
import { Interests } from './interests.ts';
import { Lanes } from './lanes.ts';
import { Link } from './link.ts';
import { cursorOf } from './log-state.ts';
import { observeLink, observeSync } from './observers.ts';
import { type ClientOptions, defaultTuning } from './options.ts';
import { OwnFeed } from './own-feed.ts';
import { randomId } from './random-id.ts';
import { deliveredPosition, Marks, readPosition } from './read-marks.ts';
import { socketIoTransport } from './socket-io-transport.ts';
import { MemoryStorage } from './storage.ts';
import { SyncDriver } from './sync-driver.ts';
import { Tokens } from './tokens.ts';
import { TypingSignals } from './typing.ts';
import { UnreadCounts } from './unread.ts';
import { Views } from './views.ts';

/** The parts of a client, connected with each other. */
export type Assembly = ReturnType<typeof assemble>;

/** Makes the parts of a client from its options. */
export function assemble(options: ClientOptions) {
  const tuning = { ...defaultTuning, ...options.tuning };
  const { logger, network = 'wifi', random = Math.random, storage = new MemoryStorage(), clock = systemClock } = options;
  const deviceId = options.deviceId ?? randomId();
  const events: Emitter<ClientEvents> = new Emitter((thrown, event) => {
    logger?.warn('a listener threw', { event });
    const error = thrown instanceof Error ? thrown : new Error('a listener threw', { cause: thrown });
    if (event !== 'error') events.emit('error', { error, log: undefined });
  });
  const tokens = new Tokens(options);
  const userId = () => tokens.userId;
  const endpoints = new Endpoints(options.url, options.gateways, network, clock);
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const http = new Http({ fetch, clock, random, tokens, timeoutMs: tuning.requestTimeoutMs });
  const put = <Position>(id: string, what: 'read' | 'delivered', seq: number, read: (answer: unknown) => Position) =>
    http.untilAnswered({ method: 'PUT', url: `${endpoints.api}/v1/conversations/${encodeURIComponent(id)}/${what}`, body: { seq } }, read);
  const reads = new Marks((id, seq) => put(id, 'read', seq, readPosition), clock, tuning.readEveryMs);
  const deliveries = new Marks((id, seq) => put(id, 'delivered', seq, deliveredPosition), clock, tuning.readEveryMs);
  const views = new Views({
    clock,
    storage,
    cursor: (id) => cursorOf(driver.state(`c/${id}`)),
    viewer: () => tokens.userId ?? '',
    limit: tuning.viewEntries,
    changed: (view, conversationId, entries) => {
      unread.changed(conversationId, view);
      if (entries.length > 0) events.emit('changed', { conversationId, entries });
      events.emit('view', { conversationId, view });
    },
  });
  const unread = new UnreadCounts(userId, (conversationId, count) => events.emit('unread', { conversationId, ...count }));
  const feed = new OwnFeed({
    read: (read) => {
      unread.read(read.conversationId, read.readSeq, undefined, views.get(read.conversationId));
      events.emit('read', read);
    },
    preferences: (preferences) => events.emit('preferences', preferences),
    membership: (membership) => events.emit('membership', membership),
    block: (block) => events.emit('block', block),
    notice: (notice) => events.emit('notice', notice),
  });
  /** Nobody waits for it, and whoever was removed meanwhile is told so elsewhere. */
  const delivered = (conversationId: string, seq: number) => {
    if (options.delivered === false) return;
    deliveries.mark(conversationId, seq).catch((error: unknown) => {
      logger?.debug('not marked as delivered', { code: asNudgeError(error).code });
    });
  };
  const parts = { events, views, feed, unread, logger, userId };
  const driver = new SyncDriver({
    http,
    clock,
    random,
    storage,
    observer: observeSync({ ...parts, delivered }),
    syncBase: () => endpoints.sync,
    startLogs: tuning.startLogs,
    limits: tuning,
  });
  const link: Link = new Link({
    transport: options.transport ?? socketIoTransport,
    clock,
    random,
    tokens,
    endpoints,
    http,
    deviceId,
    clientName: options.clientName,
    platform: options.platform,
    network,
    connectTimeoutMs: tuning.connectTimeoutMs,
    ackTimeoutMs: tuning.ackTimeoutMs,
    observer: observeLink({ ...parts, tokens, driver, interests: () => interests }),
  });
  const interests = new Interests({
    link,
    head: (id, seq) => driver.log(`c/${id}`, { type: 'key', seq }),
    presence: (presence) => events.emit('presence', presence),
    failed: (error) => events.emit('error', { error: asNudgeError(error), log: undefined }),
  });
  const typing = new TypingSignals((conversationId, active) => link.typing({ conversationId, active }), clock, tuning);
  const close = () => {
    for (const part of [driver, http, reads, deliveries, views, typing]) part.close();
    link.stop();
  };
  const lanes = new Lanes();
  return { deviceId, tuning, events, tokens, endpoints, http, reads, views, unread, feed, driver, link, interests, typing, lanes, close };
}
