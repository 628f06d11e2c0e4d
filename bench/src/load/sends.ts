import { LeanHttp } from '../lean/http.ts';

/** Sends in a closed loop: `connections` senders, each waiting for its answer, over the given conversations in turn. */
export interface SendsPlan {
  readonly port: number;
  readonly senders: readonly { readonly token: string | undefined; readonly conversationIds: readonly string[] }[];
  readonly total: number;
  readonly bodyBytes: number;
  readonly tag: string;
  /** Answers of a baseline carry no real seq. */
  readonly checkSeqs: boolean;
}

export interface SendsResult {
  readonly sent: number;
  readonly seconds: number;
  readonly problems: readonly string[];
}

/** Sends and checks that every answer is 201 with a seq of its own. */
export async function sendMany(plan: SendsPlan): Promise<SendsResult> {
  const problems: string[] = [];
  const seqs = new Map<string, Set<number>>();
  let next = 0;
  const start = performance.now();
  await Promise.all(
    plan.senders.map(async ({ token, conversationIds }, index) => {
      const http = new LeanHttp(plan.port, token);
      for (let turn = 0; next < plan.total; turn += 1) {
        const number = next++;
        const id = conversationIds[turn % conversationIds.length] ?? '';
        const text = `${plan.tag}.${number} `.padEnd(plan.bodyBytes, 'x');
        const body = JSON.stringify({ clientMsgId: `${plan.tag}.${index}.${number}`, body: { text } });
        const answer = await http
          .request('POST', `/v1/conversations/${id}/messages`, body)
          .catch((error: unknown) => ({ status: 0, text: String(error) }));
        if (answer.status !== 201) {
          problems.push(`${answer.status} ${answer.text.slice(0, 200)}`);
          continue;
        }
        if (!plan.checkSeqs) continue;
        const { seq } = JSON.parse(answer.text) as { seq: number };
        const known = seqs.get(id) ?? new Set();
        if (known.has(seq)) problems.push(`${id}: seq ${seq} twice`);
        seqs.set(id, known.add(seq));
      }
      http.destroy();
    }),
  );
  return { sent: plan.total, seconds: (performance.now() - start) / 1000, problems: problems.slice(0, 20) };
}
