export { readSyncConfig, type SyncConfig, syncConfig } from './config.ts';
export { createSyncStores, type SyncPools } from './store/create-stores.ts';
export { createSync, type Sync, type SyncDeps, type SyncStores } from './sync.ts';
