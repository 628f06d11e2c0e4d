import type { JobsConfig } from '@nudge/api';

/** Background jobs as fast as they go: periodic ones run every second. */
export const quickJobs: JobsConfig = { pollMs: 50, expirySeconds: 1, retentionSeconds: 1, sweepSeconds: 1, sweepAgeMs: 3_600_000 };

/** Nothing is done in the background but what is overdue at the start. */
export const idleJobs: JobsConfig = {
  pollMs: 3_600_000,
  expirySeconds: 3_600,
  retentionSeconds: 3_600,
  sweepSeconds: 3_600,
  sweepAgeMs: 3_600_000,
};
