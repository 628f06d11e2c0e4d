import { LeanHttp } from '../lean/http.ts';
import { Latencies } from './histogram.ts';

/** Devices that come back at the same time, each with a cursor in many conversations. */
export interface CatchUpPlan {
  readonly port: number;
  readonly devices: readonly { readonly token: string; readonly cursors: Readonly<Record<string, number>> }[];
  /** What each device must have in the end: entries after its cursors. */
  readonly entriesEach: number;
  readonly bodyBytes: number;
}

/** `seconds` to the last entry of the last device. `latency`: until a device was done, ms. */
export interface CatchUpResult {
  readonly entries: number;
  readonly seconds: number;
  readonly requests: number;
  readonly latency: ReturnType<Latencies['summary']>;
  readonly problems: readonly string[];
}

interface Delta {
  readonly entries?: readonly { readonly seq: number; readonly body: { readonly text?: string } | null }[];
  readonly more?: boolean;
  readonly error?: { readonly code: string };
}

/** Every device asks for everything it missed, in as few round trips as the server allows, and checks order, completeness and bodies. */
export async function catchUp(plan: CatchUpPlan): Promise<CatchUpResult> {
  const latencies = new Latencies();
  const problems: string[] = [];
  let entries = 0;
  let requests = 0;
  const start = performance.now();
  await Promise.all(
    plan.devices.map(async ({ token, cursors }) => {
      const http = new LeanHttp(plan.port, token);
      const open = new Map(Object.entries(cursors));
      let got = 0;
      try {
        while (open.size > 0) {
          const conversations = Object.fromEntries([...open].map(([id, after]) => [id, { after }]));
          const answer = await http.request('POST', '/v1/sync', JSON.stringify({ conversations, limit: 1000 }));
          requests += 1;
          if (answer.status === 429 || answer.status === 503) continue;
          if (answer.status !== 200) throw new Error(`sync ${answer.status} ${answer.text.slice(0, 200)}`);
          for (const [id, delta] of Object.entries((JSON.parse(answer.text) as { conversations: Record<string, Delta> }).conversations)) {
            let cursor = open.get(id) ?? 0;
            for (const entry of delta.entries ?? []) {
              if (entry.seq !== cursor + 1) problems.push(`${id}: ${cursor} -> ${entry.seq}`);
              if (entry.body?.text?.length !== plan.bodyBytes) problems.push(`${id}/${entry.seq}: wrong body`);
              cursor = entry.seq;
              got += 1;
            }
            if (delta.error !== undefined) problems.push(`${id}: ${delta.error.code}`);
            if (delta.more === true) open.set(id, cursor);
            else open.delete(id);
          }
        }
      } catch (error) {
        problems.push(String(error));
      }
      entries += got;
      if (got !== plan.entriesEach) problems.push(`a device has ${got} of ${plan.entriesEach} entries`);
      latencies.add(performance.now() - start);
      http.destroy();
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  return { entries, seconds, requests, latency: latencies.summary(), problems: problems.slice(0, 20) };
}
