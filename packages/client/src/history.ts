import type { EntriesPage, Entry } from '@nudge/types';
import { NudgeError } from './errors.ts';
import type { Http } from './http.ts';
import type { SyncDriver } from './sync-driver.ts';
import { firstSeq } from './view/view.ts';
import type { Views } from './views.ts';
import { entriesPage } from './wire.ts';

export interface HistoryDeps {
  readonly http: Http;
  readonly driver: SyncDriver;
  readonly views: Views;
  readonly syncBase: () => string;
}

/**
 * One page of what lies right before the entries held. Asked with `min` = the own cursor, so that no entry comes back in a state older
 * than what this device already applied. A page of an earlier life of the log is thrown away.
 */
export async function loadBefore(deps: HistoryDeps, conversationId: string, limit: number): Promise<readonly Entry[]> {
  const { http, driver, views, syncBase } = deps;
  const log = `c/${conversationId}` as const;
  const life = driver.life(log);
  const view = views.get(conversationId);
  if (view === undefined) return [];
  const before = firstSeq(view);
  if (before <= 1) return [];
  const asked = driver.epoch;
  const url = `${syncBase()}/v1/sync/conversations/${encodeURIComponent(conversationId)}/entries?before=${before}&limit=${limit}&min=${view.cursor}`;
  const page = await http.untilAnswered({ method: 'GET', url }, entriesPage);
  driver.sync({ type: 'epoch', seen: page.epoch, asked });
  if (driver.state(log).life !== life) return [];
  if (!endsBefore(page, before))
    throw new NudgeError('bad_answer', 'the page does not end where the local history begins', { retryable: true });
  // Trimming may have moved the beginning meanwhile: then the page is good to show, but does not join what is held.
  views.merge(conversationId, page);
  return page.entries;
}

function endsBefore({ entries }: EntriesPage, before: number): boolean {
  return entries.every(({ seq }, index) => seq === before - entries.length + index);
}
