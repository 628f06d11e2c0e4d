import { expect, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { Crowd } from './support/crowd.ts';
import { startFleet } from './support/fleet.ts';
import { breachesOf } from './support/history.ts';
import { Load, quantile } from './support/load.ts';
import { startStack } from './support/stack.ts';

const size = 5_000;
/** All are back after so long. */
const backMs = 60_000;
/** No pull of the others may take longer, with room for machines that do other things. */
const pullMs = 10_000;

test('a gateway with 5,000 sockets is killed: all are back within 60 s, no process dies, and the others go on pulling', async () => {
  const users = Array.from({ length: size }, (_, n) => `crowd${n}`);
  // The bounds of the product decide who waits, but for the one address that all come from here.
  await using stack = await startStack({ users, env: { LIMIT_HANDSHAKES_PER_SECOND: '500', LIMIT_EVENT_LOOP_DELAY_MS: '250' } });
  await using fleet = await startFleet(stack, { groups: 2 });
  const [doomed, other] = stack.of('gateway');
  if (doomed === undefined || other === undefined) throw new Error('no gateways');
  const members = users.map((userId) => ({ token: stack.app.token(userId), deviceId: 'phone' }));
  // All are on the one that is to die, whoever it first told to come again included.
  let dead = false;
  using crowd = new Crowd(members, (attempt) => (dead && attempt % 2 === 1 ? other.url : doomed.url));
  await crowd.connect(300);
  await waitFor('the crowd to be there', () => crowd.welcomed === size, { timeoutMs: 120_000, intervalMs: 100 });
  const held = () => Promise.all([doomed, other].map((gateway) => stack.metric(gateway, 'nudge_gateway_sessions_live')));
  const before = await held();
  console.log(`storm: sockets before ${before.join(' + ')}`);
  expect(before[0], 'all of the crowd is thrown out').toBeGreaterThanOrEqual(size);

  const load = new Load(stack, fleet.groups, { name: 'storm' });
  await load.progress(40);
  const calm = quantile(load.pullMs, 0.99);
  const pulls = load.pullMs.length;
  const pid = doomed.process.pid;
  dead = true;
  process.kill(pid, 'SIGKILL');
  const killedAt = performance.now();
  await waitFor('the crowd to be thrown out', () => crowd.welcomed < size * 0.6);
  await waitFor('the crowd to be back', () => crowd.welcomed === size, { timeoutMs: backMs, intervalMs: 50 });
  const tookMs = performance.now() - killedAt;
  await load.progress(20);
  await load.stop();
  const storm = quantile(load.pullMs.slice(pulls), 0.99);
  const after = await held();
  console.log(`storm: all back after ${(tookMs / 1_000).toFixed(1)} s, sockets after ${after.join(' + ')}`);
  console.log(`storm: p99 of the others' pulls ${Math.round(calm)} ms before, ${Math.round(storm)} ms meanwhile`);
  expect(tookMs).toBeLessThan(backMs);
  expect(storm, 'ms').toBeLessThan(pullMs);
  expect(stack.ends, 'only the one that was killed').toEqual(['gateway-1 SIGKILL']);
  expect(doomed.process.pid).not.toBe(pid);
  expect([...load.refusals]).toEqual([]);
  expect(await breachesOf({ stack, fleet, loads: [load] })).toEqual([]);
}, 400_000);
