export { prepareBinaries } from './binaries.ts';
export { EmbeddedPostgresError, type EmbeddedPostgresErrorCode } from './errors.ts';
export { findFreePort } from './free-port.ts';
export type { PostgresLog } from './log.ts';
export { launchServer, type ServerExit, type StopDeadlines } from './server-process.ts';
export { type ServerSettings, serverSettings } from './server-settings.ts';
export { serverUserFor } from './server-user.ts';
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from './start-embedded-postgres.ts';
