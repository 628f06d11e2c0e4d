import type { DemoSession } from './demo-session.ts';
import { DEMO_USERS } from './seed-demo.ts';

/** A day: the demo page stays usable as long as somebody looks at it. */
const TOKEN_SECONDS = 24 * 60 * 60;

async function post(url: string, key: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`the demo could not be prepared: ${response.status} ${String(answer.code)}`);
  return answer;
}

/** Makes the demo users, their conversation and fresh tokens, as an integrator would: through the running server's own routes. */
export async function openDemo(url: string, serverKey: string): Promise<DemoSession> {
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
