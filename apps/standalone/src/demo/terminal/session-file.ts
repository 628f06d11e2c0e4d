import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CLUSTER_DATA_DIR } from '../../cluster/config.ts';
import { environment, readStandaloneConfig } from '../../config.ts';

/** The session of the server that was started last: in `DATA_DIR` where that is set, else in that of `npm start` or of `npm run cluster`. */
export async function demoSessionFile(): Promise<string> {
  const standalone = join(readStandaloneConfig(environment).dataDir, 'demo.json');
  if (environment.DATA_DIR) return standalone;
  const cluster = join(CLUSTER_DATA_DIR, 'demo.json');
  const [standaloneAt, clusterAt] = await Promise.all([standalone, cluster].map(writtenAt));
  return (clusterAt ?? 0) > (standaloneAt ?? 0) ? cluster : standalone;
}

/** When the file was written, ms since 1970; 0 when it is not there. */
async function writtenAt(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.mtimeMs ?? 0;
}
