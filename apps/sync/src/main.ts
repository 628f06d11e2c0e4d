import { readOrExit, runMain } from '@nudge/server-kit';
import { readSyncConfig } from './config.ts';
import { startSyncProcess } from './process.ts';

const config = readOrExit(readSyncConfig);
await runMain(() => startSyncProcess(config));
