import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { json } from 'node:stream/consumers';
import type { DemoSession } from './demo-session.ts';
import { DEMO_USERS } from './seed-demo.ts';

/** A day: the demo page stays usable as long as somebody looks at it. */
const TOKEN_SECONDS = 24 * 60 * 60;

async function post(url: string, key: string, body: unknown): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const request = url.startsWith('https:')
    ? // The other end is this very process, by its address on this machine, which its certificate need not name.
      httpsRequest(url, { method: 'POST', headers, rejectUnauthorized: false, agent: false })
    : httpRequest(url, { method: 'POST', headers, agent: false });
  request.end(JSON.stringify(body));
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const answer = (await json(response)) as Record<string, unknown>;
  if ((response.statusCode ?? 500) >= 300) throw new Error(`the demo could not be prepared: ${response.statusCode} ${String(answer.code)}`);
  return answer;
}

/** Makes the demo users, their conversation and fresh tokens, as an integrator would: through the running server's own routes. */
export async function openDemo(url: string, serverKey: string): Promise<Omit<DemoSession, 'opsUrl'>> {
  await post(`${url}/v1/admin/users`, serverKey, { users: DEMO_USERS.map((id) => ({ id, displayName: id })) });
  const users = await Promise.all(
    DEMO_USERS.map(async (id) => ({
      id,
      token: String((await post(`${url}/v1/admin/users/${id}/tokens`, serverKey, { ttlSeconds: TOKEN_SECONDS })).token),
    })),
  );
  const [first] = users;
  const { conversation } = await post(`${url}/v1/conversations`, first?.token ?? '', { type: 'direct', members: [DEMO_USERS[1]] });
  return { url, serverKey, conversationId: (conversation as { id: string }).id, users };
}
