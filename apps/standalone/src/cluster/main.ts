import { runMain } from '@nudge/server-kit';
import { environment } from '../config.ts';
import { clusterBanner } from './banner.ts';
import { startCluster } from './cluster.ts';
import { readClusterConfig } from './config.ts';

/** Gateways have their time to drain, and everything after them its own. */
const STOP_MS = 60_000;

const config = readClusterConfig();
const print = (text: string) => process.stdout.write(text);
await runMain(
  async () => {
    const cluster = await startCluster({ config, environment, print });
    print(clusterBanner(cluster, config.dataDir));
    return cluster;
  },
  { deadlineMs: STOP_MS },
);
