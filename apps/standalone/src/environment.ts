import type { Environment } from '@nudge/server-kit';

/** The environment of this process; nothing else in this package reads it. */
export const environment: Environment = process.env;
