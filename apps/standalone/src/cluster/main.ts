import { runMain } from '@nudge/server-kit';
import { environment } from '../environment.ts';
import { endPlainly } from '../launch.ts';
import { clusterBanner } from './banner.ts';
import { startCluster } from './cluster.ts';
import { readClusterConfig } from './config.ts';

/** Gateways have their time to drain, and everything after them its own. */
const STOP_MS = 60_000;

const print = (text: string) => process.stdout.write(text);
await runMain(
  async () => {
    try {
      const config = readClusterConfig();
      const cluster = await startCluster({ config, environment, print });
      print(clusterBanner(cluster, config.dataDir));
      return cluster;
    } catch (error) {
      return endPlainly(error);
    }
  },
  { deadlineMs: STOP_MS },
);
