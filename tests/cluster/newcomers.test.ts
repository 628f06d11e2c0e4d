import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { httpClient } from '../protocol/support/http.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Fleet, type Group, startFleet } from './support/fleet.ts';
import { breachesOf } from './support/history.ts';
import { Load } from './support/load.ts';
import { registryIsWhole } from './support/rebuilt.ts';
import { type Stack, startStack } from './support/stack.ts';

let stack: Stack;
let fleet: Fleet;
const groups: Group[] = [];
const loads: Load[] = [];

beforeAll(async () => {
  stack = await startStack();
  fleet = await startFleet(stack, { groups: 1, usersPerGroup: 2, devicesPerUser: 1 });
  groups.push(...fleet.groups);
}, 180_000);
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
}, 60_000);

const everyone = () => (['gateway', 'api', 'sync'] as const).flatMap((role) => stack.of(role));
const redisUp = () => Promise.all(everyone().map((app) => stack.metric(app, 'nudge_redis_up')));

async function ofGateways(metric: string): Promise<number> {
  const values = await Promise.all(stack.of('gateway').map((app) => stack.metric(app, metric)));
  return values.reduce((sum, value) => sum + value, 0);
}

/** A group of users none of whom has a device yet. */
async function newGroup(name: string): Promise<Group> {
  const http = httpClient(stack.url);
  const users = Array.from({ length: 4 }, (_, n) => `${name}${n}`);
  await http.call('upsertUsers', { token: stack.app.serverKey, body: { users: users.map((id) => ({ id })) } });
  const body = { type: 'group', title: name, members: users.slice(1) };
  const { conversation } = (await http.call('createConversation', { token: stack.app.token(users[0] ?? ''), body })).ok();
  const group = { id: conversation.id, users };
  groups.push(group);
  return group;
}

const lost = { killed: 'SIGKILL', stopped: 'SIGSTOP' } as const;

test.each(['killed', 'stopped'] as const)(
  'whoever comes while Redis is %s is let in, sends, pulls and watches, and has every message once it is back',
  async (how) => {
    const group = await newGroup(how);
    let over = false;
    const end = async () => {
      if (over) return;
      over = true;
      await (how === 'killed' ? stack.redis.restart() : stack.redis.signal('SIGCONT'));
    };
    onTestFinished(end);
    await stack.redis.signal(lost[how]);
    if (how === 'stopped') {
      await waitFor('Redis to stand still', () => readFileSync(`/proc/${stack.redis.pid}/stat`, 'utf8').split(') ')[1]?.startsWith('T'));
    }
    // Those who come before anybody has noticed, and those who come when all have.
    const newcomers = await join(group, 0);
    await waitFor('every process to miss Redis', async () => (await redisUp()).every((up) => up === 0), { timeoutMs: 30_000 });
    newcomers.push(...(await join(group, 2)));
    expect(await ofGateways('nudge_gateway_topics_late'), 'users and the conversation, on both gateways').toBeGreaterThanOrEqual(4);
    for (const { client } of newcomers) {
      expect((await client.watch([group.id]))?.refused).toEqual({});
    }

    const load = new Load(stack, groups, { name: how });
    loads.push(load);
    onTestFinished(() => load.stop());
    await load.progress(30);
    await load.stop();
    expect([...load.refusals], 'every send and pull succeeds meanwhile').toEqual([]);
    const resyncs = await ofGateways('nudge_gateway_resyncs_total');

    await end();
    await waitFor('all topics to be heard', async () => (await ofGateways('nudge_gateway_topics_late')) === 0, { timeoutMs: 30_000 });
    // Nothing is sent any more: who was told nothing of what was can only learn it now.
    expect(await breachesOf({ stack, fleet, groups, loads })).toEqual([]);
    expect(await ofGateways('nudge_gateway_resyncs_total')).toBeGreaterThan(resyncs);

    await registryIsWhole(stack, fleet);
    const since = performance.now();
    const [sender = ''] = group.users;
    const body = { clientMsgId: `${how}-after`, body: { text: 'after' } };
    (await httpClient(stack.url).call('sendMessage', { token: stack.app.token(sender), params: { conversationId: group.id }, body })).ok();
    await waitFor('a key at each of them', () => newcomers.every(({ lastKeyAt }) => lastKeyAt > since));
    expect(newcomers.flatMap(({ stopped }) => (stopped === undefined ? [] : [stopped]))).toEqual([]);
    expect(stack.ends, 'no process died').toEqual([]);
  },
  180_000,
);

/** Two more users of the group, each on a gateway of its own. */
async function join({ users }: Group, from: number) {
  const gateways = stack.of('gateway');
  const joined = await Promise.all(
    users.slice(from, from + 2).map((userId, at) => fleet.add(userId, [`${userId}-new`], [gateways[at % gateways.length]?.url ?? ''])),
  );
  return joined.flat();
}
