import { type Connection, NudgeClient, socketIoTransport, type Transport } from '@nudge/client';
import type { Notify } from '@nudge/types';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Arena, createArena, type Person, send } from '../races/support/arena.ts';
import { waitFor } from '../support/wait-for.ts';

/** Keys are hints: losing all of them, or all of one log, delays and never loses (promises 11 and 24). */
let arena: Arena;
beforeAll(async () => {
  arena = await createArena();
});
afterAll(async () => {
  await arena?.[Symbol.asyncDispose]();
});

/** The real socket, of whose keys some are lost. */
class LossyTransport implements Transport {
  readonly dropped: string[] = [];
  readonly passed: string[] = [];
  readonly #loses: (log: string) => boolean;

  constructor(loses: (log: string) => boolean) {
    this.#loses = loses;
  }

  connect(...[request, handlers]: Parameters<Transport['connect']>): Connection {
    const notify = ({ keys, ...rest }: Notify) => {
      const kept = keys.filter(([log]) => {
        const lost = this.#loses(log);
        (lost ? this.dropped : this.passed).push(log);
        return !lost;
      });
      if (kept.length > 0 || rest.resync) handlers.notify({ keys: kept, ...rest });
    };
    return socketIoTransport.connect(request, { ...handlers, notify });
  }
}

async function openDevice(person: Person, transport: Transport, ids: readonly string[]): Promise<NudgeClient> {
  const client = new NudgeClient({ url: arena.first.url, token: person.token, deviceId: `d-${person.id}`, transport });
  await client.connect();
  // While anything of the start is still on its way it may bring what is sent next, without its key.
  const current = new Promise<unknown>((resolve) => client.on('current', resolve));
  for (const id of ids) client.open(id);
  await current;
  expect(cursorsOf(client, ids)).toEqual(ids.map(() => 1));
  return client;
}

const sendFrom = (person: Person, id: string, count: number, name: string) =>
  Promise.all(Array.from({ length: count }, async (_, n) => (await send(arena.https[0], person, id, `${name}-${n}`)).ok(201)));

const cursorsOf = (client: NudgeClient, ids: readonly string[]) => ids.map((id) => client.cursor(id));

test('all keys lost: devices know nothing, and converge when they next look', async () => {
  const [ann, bob, cem] = await arena.people('ann', 'bob', 'cem');
  const ids = [await arena.group(ann, [bob, cem]), await arena.group(ann, [bob, cem])];
  const lossy = [bob, cem].map((person) => ({ person, transport: new LossyTransport(() => true) }));
  const control = new LossyTransport(() => false);
  const devices = await Promise.all(lossy.map(({ person, transport }) => openDevice(person, transport, ids)));
  const witness = await openDevice(ann, control, ids);
  try {
    await Promise.all(ids.map((id) => sendFrom(ann, id, 20, 'm')));
    await waitFor('the control to converge by keys alone', () => cursorsOf(witness, ids).every((cursor) => cursor === 21));
    await waitFor('the fault to fire', () => lossy.every(({ transport }) => ids.every((id) => transport.dropped.includes(`c/${id}`))));
    expect(lossy.flatMap(({ transport }) => transport.passed)).toEqual([]);
    for (const device of devices) expect(cursorsOf(device, ids)).toEqual([1, 1]);
    for (const device of devices) device.foreground();
    for (const device of devices) await waitFor('convergence', () => cursorsOf(device, ids).every((cursor) => cursor === 21));
    for (const device of devices) {
      for (const id of ids) expect(device.entries(id)).toEqual(witness.entries(id));
    }
  } finally {
    await Promise.all([...devices, witness].map((client) => client.close()));
  }
});

test('all keys of one log lost while those of another flow: it converges at the full sync that comes whatever was heard', async () => {
  const [ann, bob] = await arena.people('ann', 'bob');
  const [silent, loud] = [await arena.group(ann, [bob]), await arena.group(ann, [bob])];
  const transport = new LossyTransport((log) => log === `c/${silent}`);
  const device = await openDevice(bob, transport, [silent, loud]);
  try {
    for (let round = 0; round < 3; round += 1) {
      await sendFrom(ann, silent, 5, `s${round}`);
      await sendFrom(ann, loud, 5, `l${round}`);
      await waitFor('the loud log', () => device.cursor(loud) === 1 + 5 * (round + 1));
    }
    await waitFor('the fault to fire', () => transport.dropped.length > 0);
    expect(device.cursor(silent), 'the flow of others did not bring it').toBe(1);
    device.foreground();
    await waitFor('convergence', () => device.cursor(silent) === 16);
    expect(device.entries(silent).map(({ seq }) => seq)).toEqual(Array.from({ length: 16 }, (_, n) => n + 1));
  } finally {
    await device.close();
  }
});
