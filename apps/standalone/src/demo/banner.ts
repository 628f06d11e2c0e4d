import type { DemoSession } from './demo-session.ts';

/** What a newcomer reads when the server is ready: three lines that work as they stand, and the page. */
export function banner(session: DemoSession, path: string): string {
  const { url, opsUrl, conversationId, serverKey, users } = session;
  const [first, second] = users;
  const json = "-H 'content-type: application/json'";
  return `
Nudge is ready at ${url}

Send a message as ${first?.id}:
  curl -s ${url}/v1/conversations/${conversationId}/messages -H 'authorization: Bearer ${first?.token}' ${json} -d '{"clientMsgId":"hello-${Date.now().toString(36)}","body":{"text":"hello"}}'

Pull it as ${second?.id}:
  curl -s '${url}/v1/sync/conversations/${conversationId}/entries?after=0' -H 'authorization: Bearer ${second?.token}'

Mint a token for ${second?.id} as the integrator:
  curl -s -X POST ${url}/v1/admin/users/${second?.id}/tokens -H 'authorization: Bearer ${serverKey}' ${json} -d '{}'

Watch keys arrive and pulls answer:   ${url}/
Play three devices of the two:        npm run demo (in a second terminal)
Read the API:                         ${url}/docs
Metrics of this process:              ${opsUrl}/metrics
The same as JSON, for programs:       ${path}
Ctrl-C ends it; the data stay.
`;
}
