export { readSyncConfig, type SyncConfig, syncConfig } from './config.ts';
export { createSyncStores, type SyncPools } from './store/create-stores.ts';
export type { SyncStores } from './store/sync-stores.ts';
export { createSync, type Sync, type SyncDeps } from './sync.ts';
