import { MemoryBus } from '@nudge/server-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

let world: GatewayWorld;
let server: GatewayServer;
beforeAll(async () => {
  world = await createGatewayWorld();
  server = await startGatewayServer(world);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

describe('a receipt', () => {
  it('reaches who watches, and no device of who read', async () => {
    const id = await world.conversation(['ann', 'bob', 'cem']);
    const [ann, bob, bob2, cem, eve] = await Promise.all([
      server.connect('ann'),
      server.connect('bob', { deviceId: '1' }),
      server.connect('bob', { deviceId: '2' }),
      server.connect('cem'),
      server.connect('eve'),
    ]);
    for (const device of [ann, bob, bob2, eve]) await device.call('watch', { conversationIds: [id] });
    await server.publishToConversation(id, { kind: 'receipt', conversationId: id, userId: 'bob', readSeq: 1 });
    await waitFor('the receipt', () => ann.receipts.length === 1);
    await server.publishToConversation(id, { kind: 'receipt', conversationId: id, userId: 'bob', deliveredSeq: 2 });
    await waitFor('the second', () => ann.receipts.length === 2);
    expect(ann.receipts).toEqual([
      { conversationId: id, userId: 'bob', readSeq: 1 },
      { conversationId: id, userId: 'bob', deliveredSeq: 2 },
    ]);
    for (const device of [bob, bob2, cem, eve]) await device.settled();
    expect([bob, bob2, cem, eve].flatMap((device) => device.receipts)).toEqual([]);
  });

  it('ends for a member who is removed', async () => {
    const id = await world.conversation(['ann', 'bob', 'cem']);
    const [ann, bob] = await Promise.all([server.connect('ann'), server.connect('bob')]);
    for (const device of [ann, bob]) await device.call('watch', { conversationIds: [id] });
    await server.publishToConversation(id, await world.remove(id, 'bob', 'ann'));
    const receipt = { kind: 'receipt', conversationId: id, userId: 'cem', readSeq: 1 } as const;
    await waitFor('ann to hear again', async () => {
      await server.publishToConversation(id, receipt);
      await ann.settled();
      return ann.receipts.length > 0;
    });
    await bob.settled();
    expect(bob.receipts).toEqual([]);
  });

  it('does not pass a block, on whatever gateway its reader and its watchers are, in both directions', async () => {
    const bus = new MemoryBus();
    await using other = await startGatewayServer(world, { bus, config: { gatewayId: 'other' } });
    await using here = await startGatewayServer(world, { bus, config: { gatewayId: 'here' } });
    await world.block('rx-ann', 'rx-bob');
    const id = await world.conversation(['rx-ann', 'rx-bob', 'rx-cem']);
    const [ann, bob, cem, cem2] = await Promise.all([
      here.connect('rx-ann'),
      other.connect('rx-bob'),
      other.connect('rx-cem', { deviceId: '1' }),
      here.connect('rx-cem', { deviceId: '2' }),
    ]);
    const all = [ann, bob, cem, cem2];
    for (const device of all) await device.call('watch', { conversationIds: [id] });
    for (const userId of ['rx-ann', 'rx-bob']) {
      await here.publishToConversation(id, { kind: 'receipt', conversationId: id, userId, readSeq: 1 });
      await waitFor(`the receipt of ${userId}`, () => cem.receipts.at(-1)?.userId === userId && cem2.receipts.at(-1)?.userId === userId);
    }
    for (const device of all) await device.settled();
    expect([ann.receipts, bob.receipts]).toEqual([[], []]);
    await world.block('rx-ann', 'rx-bob', false);
    await here.publishToUser('rx-ann', { kind: 'user' });
    await here.publishToUser('rx-bob', { kind: 'user' });
    await waitFor('it to pass again', async () => {
      await here.publishToConversation(id, { kind: 'receipt', conversationId: id, userId: 'rx-bob', readSeq: 1 });
      await ann.settled();
      return ann.receipts.length > 0;
    });
  });
});
