import { runMain } from '@nudge/server-kit';
import { readApiConfig } from './config.ts';
import { startApiProcess } from './process.ts';

const config = readApiConfig();
await runMain(() => startApiProcess(config));
