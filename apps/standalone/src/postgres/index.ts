export { prepareBinaries } from './binaries.ts';
export { EmbeddedPostgresError, type EmbeddedPostgresErrorCode } from './errors.ts';
export { findFreePort, portIsFree } from './free-port.ts';
export type { PostgresLog } from './log.ts';
export { launchServer, type ServerExit, type StopDeadlines } from './server-process.ts';
export { type ServerSettings, serverSettings } from './server-settings.ts';
export { serverUserFor } from './server-user.ts';
export { dropSlot, type Primary, prepareStandby, standbySettings } from './standby.ts';
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from './start-embedded-postgres.ts';
export { type Standby, type StandbyOptions, startStandby } from './start-standby.ts';
