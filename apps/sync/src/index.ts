export { readSyncConfig, type SyncConfig, syncConfig } from './config.ts';
export { createSync, type Sync, type SyncDeps, type SyncStores } from './sync.ts';
