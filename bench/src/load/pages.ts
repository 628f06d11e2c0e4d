import { LeanHttp } from '../lean/http.ts';
import { seededRandom } from './random.ts';

/** Random pages from a list of paths, over a few connections, closed loop. */
export interface PagesPlan {
  readonly port: number;
  readonly token: string | undefined;
  readonly paths: readonly string[];
  readonly requests: number;
  readonly connections: number;
  readonly entriesEach: number;
  readonly seed: number;
}

export interface PagesResult {
  readonly requests: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

/** Fetches pages; each answer is checked for its status, and one in fifty for its whole content. */
export async function readPages(plan: PagesPlan): Promise<PagesResult> {
  const random = seededRandom(plan.seed);
  const problems: string[] = [];
  let left = plan.requests;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: plan.connections }, async () => {
      const http = new LeanHttp(plan.port, plan.token);
      while (left > 0) {
        left -= 1;
        const path = plan.paths[Math.floor(random() * plan.paths.length)] ?? '/';
        const answer = await http.request('GET', path);
        if (answer.status !== 200) problems.push(`${answer.status} ${answer.text.slice(0, 120)}`);
        else if (left % 50 === 0) {
          const { entries } = JSON.parse(answer.text) as { entries: readonly { seq: number }[] };
          const gapless = entries.every((entry, index) => index === 0 || entry.seq === (entries[index - 1]?.seq ?? 0) + 1);
          if (!gapless || entries.length !== plan.entriesEach) problems.push(`${path}: ${entries.length} entries, gapless ${gapless}`);
        }
      }
      http.destroy();
    }),
  );
  return { requests: plan.requests, seconds: (performance.now() - start) / 1000, problems: problems.slice(0, 20) };
}
