import { join } from 'node:path';
import type { Cluster } from './cluster.ts';

/** What runs where, and how to use it. */
export function clusterBanner({ session, ...cluster }: Pick<Cluster, 'session' | 'table'>, dataDir: string): string {
  const { url, users } = session;
  const [first] = users;
  return `
Nudge runs as a cluster:

${cluster.table()}

One address for everything:        ${url}
A client finds its gateway with:   new NudgeClient({ url: '${url}', gateways: 'dispatcher', … })
What the dispatcher answers:       curl -s '${url}/v1/gateways?network=wifi' -H 'authorization: Bearer ${first?.token}'
Play the demo against it:          npm run demo (in a second terminal)
The same as JSON, for programs:    ${join(dataDir, 'demo.json')}
Try it: kill -9 any pid above but the front door's, which is this command itself: it is named here and started again.
Ctrl-C ends all; the data stay.
`;
}
