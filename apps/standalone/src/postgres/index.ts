export { EmbeddedPostgresError, type EmbeddedPostgresErrorCode } from './errors.ts';
export type { PostgresLog } from './log.ts';
export type { ServerExit, StopDeadlines } from './server-process.ts';
export type { ServerSettings } from './server-settings.ts';
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from './start-embedded-postgres.ts';
