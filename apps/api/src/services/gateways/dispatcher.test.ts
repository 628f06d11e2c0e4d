import { createLogger, MemoryGatewayDirectory } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { defaultHeartbeats } from '@nudge/types';
import { expect, it } from 'vitest';
import { Dispatcher } from './dispatcher.ts';

const log = createLogger({ name: 'test', level: 'silent' });

function setup() {
  const clock = new ManualClock();
  const directory = new MemoryGatewayDirectory({ clock });
  let down = false;
  let asked = 0;
  const gateways = {
    list: async () => {
      asked++;
      if (down) throw new Error('away');
      return directory.list();
    },
  };
  const dispatcher = new Dispatcher({
    gateways,
    gatewayUrls: ['http://configured'],
    syncUrl: 'http://sync',
    heartbeats: defaultHeartbeats,
    ttlSeconds: 60,
    clock,
    log,
  });
  const add = (id: string, over = {}) =>
    directory.put({ id, url: `http://${id}`, zone: 'north', load: 0, sockets: 0, draining: false, ...over }, 10_000);
  const urls = async () => (await dispatcher.gatewaysFor('app', 'ann', 'wifi')).gateways.map(({ url }) => url).sort();
  return { clock, add, dispatcher, urls, asked: () => asked, fail: (value: boolean) => (down = value) };
}

it('names those of the directory, and the configured ones while there are none', async () => {
  const { clock, add, urls, dispatcher } = setup();
  expect(await urls()).toEqual(['http://configured']);
  await add('g1');
  await add('g2');
  await add('g3', { draining: true });
  clock.advance(1_000);
  expect(await urls()).toEqual(['http://g1', 'http://g2']);
  expect(await dispatcher.gatewaysFor('app', 'ann', 'mobile')).toMatchObject({
    gateways: [{ zone: 'north' }, { zone: 'north' }],
    sync: 'http://sync',
    heartbeat: defaultHeartbeats.mobile,
    ttlSeconds: 60,
  });
  clock.advance(10_000);
  expect(await urls()).toEqual(['http://configured']);
});

it('asks the directory once a second, however many ask', async () => {
  const { clock, add, urls, asked } = setup();
  await add('g1');
  await Promise.all(Array.from({ length: 50 }, () => urls()));
  expect(asked()).toBe(1);
  clock.advance(1_000);
  await urls();
  expect(asked()).toBe(2);
});

it('goes on with the last list while the directory is away', async () => {
  const { clock, add, urls, fail } = setup();
  await add('g1');
  await urls();
  fail(true);
  clock.advance(60_000);
  expect(await urls()).toEqual(['http://g1']);
});
