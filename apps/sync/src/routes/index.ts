import type { BoundRoute } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { listEntries } from './conversations/list-entries.ts';
import { listHeads } from './conversations/list-heads.ts';
import { listPins } from './conversations/list-pins.ts';
import { listReactions } from './conversations/list-reactions.ts';
import { listReceipts } from './conversations/list-receipts.ts';
import type { Services } from './services.ts';
import { getUnread } from './sync/get-unread.ts';
import { sync } from './sync/sync.ts';

/** The pulls: for the listener that skips Express. */
export function hotRoutes(routes: Routes, services: Services): readonly BoundRoute[] {
  return [listEntries(routes.listEntries, services), sync(routes.sync, services)];
}

/** The rest of the pull side. */
export function coldRoutes(routes: Routes, services: Services): readonly BoundRoute[] {
  return [
    listHeads(routes.listHeads, services),
    getUnread(routes.getUnread, services),
    listReceipts(routes.listReceipts, services),
    listReactions(routes.listReactions, services),
    listPins(routes.listPins, services),
  ];
}
