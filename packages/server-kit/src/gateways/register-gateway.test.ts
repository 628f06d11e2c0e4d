import { expect, it } from 'vitest';
import { createLogger } from '../log.ts';
import type { GatewayDescription } from '../ports/gateway-directory.ts';
import { MemoryGatewayDirectory } from '../ports/memory/memory-gateway-directory.ts';
import { eventually, ManualClock } from '../testing/index.ts';
import { registerGateway } from './register-gateway.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const idle: GatewayDescription = { id: 'g1', url: 'http://g1', zone: 'z', load: 0, sockets: 0, draining: false };

it('keeps the gateway in the directory with its present load, and takes it out in the end', async () => {
  const clock = new ManualClock();
  await using directory = new MemoryGatewayDirectory({ clock });
  let sockets = 0;
  const registration = await registerGateway({
    directory,
    describe: () => ({ ...idle, sockets }),
    clock,
    log,
    ttlMs: 3_000,
    random: () => 1,
  });
  expect(await directory.list()).toMatchObject([{ id: 'g1', sockets: 0 }]);
  for (sockets = 1; sockets < 10; sockets++) {
    const armed = clock.pending;
    clock.advance(1_250);
    await eventually(() => clock.pending === armed);
    expect(await directory.list()).toMatchObject([{ id: 'g1', sockets }]);
  }
  await registration[Symbol.asyncDispose]();
  expect(await directory.list()).toEqual([]);
  expect(clock.pending).toBe(0);
});

it('says at once that it drains', async () => {
  const clock = new ManualClock();
  await using directory = new MemoryGatewayDirectory({ clock });
  let draining = false;
  await using registration = await registerGateway({ directory, describe: () => ({ ...idle, draining }), clock, log });
  draining = true;
  await registration.announce();
  expect(await directory.list()).toMatchObject([{ draining: true }]);
  const ann = { appId: 'app', userId: 'ann' };
  expect(registration.pickTarget(ann)).toBeUndefined();
  await directory.put({ ...idle, id: 'g2', url: 'http://g2', draining: true }, 60_000);
  await directory.put({ ...idle, id: 'g3', url: 'http://g3' }, 60_000);
  await registration.announce();
  expect(registration.pickTarget(ann)).toBe('http://g3');
});

it('sends nobody to a gateway that is not ready', async () => {
  const clock = new ManualClock();
  await using directory = new MemoryGatewayDirectory({ clock });
  await directory.put({ ...idle, id: 'g2', url: 'http://g2', unready: true }, 60_000);
  await using registration = await registerGateway({ directory, describe: async () => idle, clock, log });
  const ann = { appId: 'app', userId: 'ann' };
  expect(registration.pickTarget(ann)).toBeUndefined();
  await directory.put({ ...idle, id: 'g2', url: 'http://g2' }, 60_000);
  await registration.announce();
  expect(registration.pickTarget(ann)).toBe('http://g2');
});

it('sends nobody to gateways that stop together with it', async () => {
  const clock = new ManualClock();
  await using directory = new MemoryGatewayDirectory({ clock });
  for (const id of ['g2', 'g3']) await directory.put({ ...idle, id, url: `http://${id}`, group: 'workers' }, 60_000);
  const own = { ...idle, group: 'workers' };
  await using registration = await registerGateway({ directory, describe: () => own, clock, log });
  const users = Array.from({ length: 50 }, (_, n) => ({ appId: 'app', userId: `u${n}` }));
  expect(users.map((user) => registration.pickTarget(user))).toEqual(users.map(() => undefined));
  await directory.put({ ...idle, id: 'g4', url: 'http://g4', group: 'other workers' }, 60_000);
  await directory.put({ ...idle, id: 'g5', url: 'http://g5' }, 60_000);
  await registration.announce();
  expect(new Set(users.map((user) => registration.pickTarget(user)))).toEqual(new Set(['http://g4', 'http://g5']));
});

it('outlives a directory that cannot be reached, and is there again when it can', async () => {
  const clock = new ManualClock();
  await using directory = new MemoryGatewayDirectory({ clock });
  let down = true;
  let refused = 0;
  const flaky = {
    put: async (gateway: GatewayDescription, ttlMs: number) => {
      if (!down) return directory.put(gateway, ttlMs);
      refused++;
      throw new Error('away');
    },
    remove: async () => {
      throw new Error('away');
    },
    list: () => directory.list(),
    [Symbol.asyncDispose]: async () => undefined,
  };
  await using _registration = await registerGateway({ directory: flaky, describe: () => idle, clock, log, ttlMs: 3_000, random: () => 0 });
  expect([refused, await directory.list()]).toEqual([1, []]);
  down = false;
  clock.advance(750);
  await eventually(async () => (await directory.list()).length === 1);
});
