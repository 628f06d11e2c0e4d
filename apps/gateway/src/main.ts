import { readOrExit, runMain } from '@nudge/server-kit';
import { readGatewayConfig, readWorkersConfig } from './config.ts';
import { startGatewayProcess } from './process.ts';
import { startWorkers } from './workers.ts';

const workers = readOrExit(readWorkersConfig);
if (workers === undefined) {
  const config = readOrExit(readGatewayConfig);
  await runMain(() => startGatewayProcess(config), { deadlineMs: config.stopMs });
} else {
  await runMain(() => startWorkers(workers), { deadlineMs: workers.stopMs + 2_000 });
}
