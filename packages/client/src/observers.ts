import type { Emitter } from './emitter.ts';
import type { ClientEvents } from './events.ts';
import type { Interests } from './interests.ts';
import type { LinkObserver } from './link.ts';
import type { Logger } from './options.ts';
import type { OwnFeed } from './own-feed.ts';
import type { SyncDriver, SyncObserver } from './sync-driver.ts';
import type { Tokens } from './tokens.ts';
import type { UnreadCounts } from './unread.ts';
import type { Views } from './views.ts';
import { readNotify } from './wire.ts';

interface Parts {
  readonly events: Emitter<ClientEvents>;
  readonly views: Views;
  readonly feed: OwnFeed;
  readonly unread: UnreadCounts;
  readonly logger: Logger | undefined;
  readonly userId: () => string | undefined;
}

/** What the client does with what its logs tell: fold, count, hand out. */
export function observeSync(parts: Parts & { readonly delivered: (conversationId: string, seq: number) => void }): SyncObserver {
  const { events, views, feed, unread, logger, userId, delivered } = parts;
  return {
    fold: (conversationId, news, page) => views.fold(conversationId, news, page),
    applied: (conversationId, { entries, cursor, newRange }) => {
      const [first] = entries;
      if (newRange && first !== undefined) events.emit('range', { conversationId, from: first.seq });
      for (const entry of entries) {
        unread.entry(conversationId, entry);
        const blocked = entry.senderId != null && feed.blocks(entry.senderId);
        events.emit('entry', { conversationId, entry, blocked });
      }
      views.applied(conversationId);
      const others = entries.some(({ senderId, target }) => target == null && senderId !== userId());
      // A read position says more than a delivered one.
      if (others && cursor > Math.max(feed.readSeq(conversationId), unread.get(conversationId)?.readSeq ?? 0))
        delivered(conversationId, cursor);
    },
    page: (conversationId, { oldestSeq }) => views.visibleFrom(conversationId, oldestSeq),
    time: (serverTime) => views.serverTime(serverTime),
    app: (entry) => events.emit('app', entry),
    dropped: (log, reason) => {
      if (log.startsWith('u/')) feed.clear();
      views.drop(log.slice(2));
      unread.drop(log.slice(2));
      events.emit('dropped', { log, reason });
    },
    head: (head) => {
      unread.head(head);
      events.emit('head', head);
    },
    feed: (item) => {
      feed.put(item);
      events.emit('feed', item);
    },
    pull: (report) => events.emit('pull', report),
    current: () => events.emit('current', {}),
    error: (error, log) => {
      logger?.warn('pull failed', { code: error.code, retryable: error.retryable, log });
      events.emit('error', { error, log });
    },
  };
}

/** What the client does with what its connection tells. */
export function observeLink(
  parts: Parts & { readonly tokens: Tokens; readonly driver: SyncDriver; readonly interests: () => Interests },
): LinkObserver {
  const { events, views, logger, tokens, driver, interests } = parts;
  return {
    welcome: ({ sessionId, gatewayId, resumed, epoch, serverTime }, url) => {
      logger?.debug('connected', { gatewayId, resumed, url });
      views.serverTime(serverTime);
      if (tokens.userId !== undefined) driver.follow(`u/${tokens.userId}`);
      events.emit('connected', { sessionId, gatewayId, resumed, url });
      driver.sync({ type: 'welcome', resumed, epoch });
      if (tokens.appId !== undefined) driver.log(`a/${tokens.appId}`, { type: 'open' });
      interests().restore();
    },
    notify: (notify) => {
      const { keys, resync, traceparent } = readNotify(notify);
      if (traceparent !== undefined) driver.trace(traceparent);
      for (const [log, seq] of keys) {
        events.emit('key', { log, seq });
        driver.log(log, { type: 'key', seq });
      }
      if (!resync) return;
      events.emit('resync', {});
      driver.sync({ type: 'resync' });
    },
    typing: (typing) => events.emit('typing', typing),
    presence: (presence) => events.emit('presence', presence),
    receipt: (receipt) => events.emit('receipt', receipt),
    event: (event) => events.emit('event', event),
    control: (control) => events.emit('control', control),
    disconnected: (error, said, retryInMs) => {
      logger?.debug('disconnected', { code: error.code, said: said?.code, retryInMs });
      events.emit('disconnected', { error, said, retryInMs });
      driver.sync({ type: 'offline' });
    },
    stopped: (error, said) => {
      logger?.warn('stopped', { code: error.code, said: said?.code });
      events.emit('stopped', { error, said });
    },
    error: (error) => events.emit('error', { error, log: undefined }),
  };
}
