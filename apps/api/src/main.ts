import { readOrExit, runMain } from '@nudge/server-kit';
import { readApiConfig } from './config.ts';
import { startApiProcess } from './process.ts';

const config = readOrExit(readApiConfig);
await runMain(() => startApiProcess(config));
