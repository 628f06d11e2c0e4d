import type { AppDirectory } from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import type { DetailsService } from '../services/details-service.ts';
import type { EntriesService } from '../services/entries-service.ts';
import type { HeadsService } from '../services/heads-service.ts';
import type { SyncService } from '../services/sync-service.ts';
import type { Patience } from '../services/waiting.ts';

/** What the routes are made of. */
export interface Services {
  readonly entries: EntriesService;
  readonly sync: SyncService;
  readonly details: DetailsService;
  readonly heads: HeadsService;
  readonly directory: Pick<AppDirectory, 'epochOf'>;
  readonly limits: Limits;
  readonly now: () => number;
  /** How long a request waits for the database. */
  readonly patience: (signal: AbortSignal) => Patience;
}
