import { runMain } from '@nudge/server-kit';
import { readGatewayConfig } from './config.ts';
import { startGatewayProcess } from './process.ts';

const config = readGatewayConfig();
await runMain(() => startGatewayProcess(config), { deadlineMs: config.stopMs });
