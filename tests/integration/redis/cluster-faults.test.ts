import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { slotOf } from '../../../packages/server-kit/src/ports/redis/slot.ts';
import { type RedisCluster, startRedisCluster } from '../../support/redis.ts';
import { createTcpProxy } from '../../support/tcp-proxy.ts';
import { waitFor } from '../../support/wait-for.ts';
import { alert, key, listen, openProcess, type RedisProcess } from './support/processes.ts';

const patience = { timeoutMs: 20_000 };

describe('a cluster of three masters and three replicas', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  /** For each server that is a master now a topic of its own. */
  async function topicPerMaster(): Promise<Map<number, string>> {
    const topics = new Map<number, string>();
    for (let at = 0; topics.size < 3; at++) {
      const master = await cluster.masterOf(`nudge:topic-${at}`);
      if (!topics.has(master)) topics.set(master, `topic-${at}`);
    }
    return topics;
  }

  async function flows(from: RedisProcess, topic: string, heard: readonly number[], first: number): Promise<void> {
    let seq = first;
    await waitFor(
      `a key on ${topic}`,
      async () => {
        await from.bus.publish([{ topic, message: key(seq++) }]).catch(() => undefined);
        return heard.some((one) => one >= first);
      },
      patience,
    );
  }

  /** A topic of each master, listened to; `lost` is the server that will not be the master of its topic any more. */
  async function listening(there: RedisProcess) {
    const topics = await topicPerMaster();
    const [lost = -1] = topics.keys();
    const heard = new Map<string, number[]>();
    for (const topic of topics.values()) heard.set(topic, await listen(there.bus, topic));
    const server = cluster.servers[lost];
    const topic = topics.get(lost);
    if (server === undefined || topic === undefined) throw new Error('no master');
    return { lost, server, topic, topics: [...topics.values()], others: [...topics.values()].filter((one) => one !== topic), heard };
  }

  it('loses a master: a replica takes over, what was subscribed is heard from it, and the loss is told', async () => {
    const [here, there] = [await openProcess({ url: cluster.url }), await openProcess({ url: cluster.url })];
    const { lost, server, topic, topics, others, heard } = await listening(there);
    for (const one of topics) await flows(here, one, heard.get(one) ?? [], 1);
    expect(there.interruptions()).toBe(0);

    await server.signal('SIGKILL');
    await waitFor('the loss to be noticed', () => !here.bus.healthy && !there.bus.healthy);
    await expect(here.bus.publish([{ topic, message: key(2) }])).rejects.toMatchObject({ code: 'overloaded' });
    // The other masters are not concerned until the cluster itself counts as failed.
    for (const one of others) await flows(here, one, heard.get(one) ?? [], 10);
    await waitFor('the replica to take over', async () => (await cluster.masterOf(`nudge:${topic}`)) !== lost, patience);
    await flows(here, topic, heard.get(topic) ?? [], 100);
    await waitFor('the interruption to be told', () => there.interruptions() > 0, patience);
    await waitFor('both to be whole again', () => here.bus.healthy && there.bus.healthy, patience);
    for (const one of topics) await flows(here, one, heard.get(one) ?? [], 1_000);

    await server.restart();
    await cluster.settled();
  }, 90_000);

  it('changes its masters on command: subscriptions follow', async () => {
    const [here, there] = [await openProcess({ url: cluster.url }), await openProcess({ url: cluster.url })];
    const { lost, server, topic, heard } = await listening(there);
    const id = String(await server.command('CLUSTER', 'MYID'));
    const nodes = String(await server.command('CLUSTER', 'NODES'));
    const port = /:(\d+)@/.exec(nodes.split('\n').find((line) => line.includes(`slave ${id}`)) ?? '')?.[1];
    const replica = cluster.servers.find((candidate) => String(candidate.port) === port);
    await flows(here, topic, heard.get(topic) ?? [], 1);

    expect(await replica?.command('CLUSTER', 'FAILOVER')).toBe('OK');
    await waitFor('the replica to take over', async () => (await cluster.masterOf(`nudge:${topic}`)) !== lost, patience);
    await waitFor('the interruption to be told', () => there.interruptions() > 0, patience);
    await flows(here, topic, heard.get(topic) ?? [], 100);
    await cluster.settled();
  }, 90_000);

  it('loses the data of one master that has no lease: the renewal tells the gateway', async () => {
    const here = await openProcess({ url: cluster.url });
    await here.registry.renewLease('g1', 60_000);
    await here.registry.renewLease('g1', 60_000);
    expect(here.lost).toEqual([]);
    const withLeases = await cluster.masterOf('nudge:leases');
    const without = [...(await topicPerMaster()).keys()].find((at) => at !== withLeases) ?? -1;
    expect(await cluster.servers[without]?.command('FLUSHALL')).toBe('OK');
    expect(await cluster.servers[withLeases]?.command('EXISTS', 'nudge:leases')).toBe(1);
    await here.registry.renewLease('g1', 60_000);
    expect(here.lost).toEqual(['g1']);
    await here.registry.renewLease('g1', 60_000);
    expect(here.lost).toEqual(['g1']);
  });

  it('is reached through addresses of another network, and one way there stands still', async () => {
    const proxies = await Promise.all(cluster.servers.map(({ port }) => createTcpProxy({ port })));
    for (const proxy of proxies) onTestFinished(() => proxy[Symbol.asyncDispose]());
    const natMap = Object.fromEntries(
      cluster.servers.map(({ port }, at) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxies[at]?.port ?? 0 }]),
    );
    const url = `redis+cluster://${proxies.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
    const there = await openProcess({ url, natMap, timings: alert });
    const here = await openProcess({ url: cluster.url });
    const { lost, topic, others, heard } = await listening(there);
    expect(there.connection.nodes).toContain(`127.0.0.1:${proxies[lost]?.port}`);
    const proxy = proxies[lost];
    proxy?.stall();
    await waitFor('the deaf subscriber to be found out', async () => (await there.metric('nudge_bus_deaf_total')) >= 1);
    expect(proxy?.stats.fired.stall).toBeGreaterThan(0);
    for (const one of others) await flows(here, one, heard.get(one) ?? [], 1);
    proxy?.heal();
    await waitFor('the interruption to be told', () => there.interruptions() > 0, patience);
    await flows(here, topic, heard.get(topic) ?? [], 100);
    await flows(there, topic, heard.get(topic) ?? [], 1_000);
  }, 60_000);

  it('is away as a whole, also for who starts meanwhile, and comes back', async () => {
    const before = await openProcess({ url: cluster.url });
    const topic = 'whole';
    const heard = await listen(before.bus, topic);
    await flows(before, topic, heard, 1);
    await Promise.all(cluster.servers.map((server) => server.signal('SIGKILL')));
    await waitFor('the loss to be noticed', () => !before.bus.healthy && !before.connection.up);
    await expect(before.bus.publish([{ topic, message: key(2) }])).rejects.toMatchObject({ code: 'overloaded' });
    const late = await openProcess({ url: cluster.url, timings: { startMs: 2_000 } });
    expect(late.connection.up).toBe(false);
    await expect(late.bus.subscribe(topic, () => undefined)).rejects.toMatchObject({ code: 'overloaded' });
    expect((await late.limiter.consume('k', { points: 1, windowMs: 1_000 })).allowed).toBe(true);

    await Promise.all(cluster.servers.map((server) => server.restart()));
    await cluster.settled();
    await waitFor('the interruption to be told', () => before.interruptions() > 0, patience);
    await flows(before, topic, heard, 100);
    await waitFor('the late one to be whole', () => late.bus.healthy, patience);
    await flows(late, topic, heard, 1_000);
  }, 90_000);

  it('puts keys where the cluster puts them', async () => {
    for (const name of ['123456789', 'nudge:app/u/alice', '{tag}rest', 'a{tag}b', '{}empty', '{open', 'ü', 'a{b}{c}']) {
      expect(slotOf(name)).toBe(await cluster.servers[0]?.command('CLUSTER', 'KEYSLOT', name));
    }
  });
});
