import { type Config, readConfig } from '@nudge/server-kit';
import { environment } from '../environment.ts';

/** Where the cluster keeps its data unless `DATA_DIR` says otherwise. */
export const CLUSTER_DATA_DIR = '.data-cluster';

/** Configuration of the launcher. Its front door takes `PORT`, 4000 where absent; every other variable of the product goes to the processes too. */
export function readClusterConfig(): Config {
  return readConfig({ ...environment, PORT: environment.PORT || '4000', DATA_DIR: environment.DATA_DIR || CLUSTER_DATA_DIR });
}
