import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CLUSTER_DATA_DIR } from '../../cluster/config.ts';
import { readStandaloneConfig } from '../../config.ts';
import { environment } from '../../environment.ts';
import type { DemoSession } from '../demo-session.ts';

/** How long a server may take to say that it is there, ms. */
const ANSWER_MS = 5_000;

/**
 * The session of a server that answers: of the file named, else of the one in `DATA_DIR` where that is set, else of `npm start` or of
 * `npm run cluster`, the one that was started last first. A server that was killed leaves its file behind.
 */
export async function findDemoSession(named?: string): Promise<DemoSession> {
  const paths = named === undefined ? await usualPaths() : [named];
  const silent: string[] = [];
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const session = JSON.parse(text) as DemoSession;
    if (await answers(session.url)) return session;
    silent.push(`nothing answers at ${session.url}, which ${path} names`);
  }
  const reason = silent.length > 0 ? silent.join('; ') : `${paths.join(' and ')} ${paths.length > 1 ? 'are' : 'is'} not there`;
  throw new Error(`${reason}: start the server first (npm start or npm run cluster), or name its demo.json`);
}

async function usualPaths(): Promise<string[]> {
  const standalone = join(readStandaloneConfig(environment).dataDir, 'demo.json');
  if (environment.DATA_DIR) return [standalone];
  const cluster = join(CLUSTER_DATA_DIR, 'demo.json');
  const [standaloneAt = 0, clusterAt = 0] = await Promise.all([standalone, cluster].map(writtenAt));
  return clusterAt > standaloneAt ? [cluster, standalone] : [standalone, cluster];
}

async function answers(url: string): Promise<boolean> {
  const answer = fetch(`${url}/healthz`, { signal: AbortSignal.timeout(ANSWER_MS) });
  return answer.then(
    ({ ok }) => ok,
    () => false,
  );
}

/** When the file was written, ms since 1970; 0 when it is not there. */
async function writtenAt(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.mtimeMs ?? 0;
}
