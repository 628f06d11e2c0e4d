import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { readAgain } from './support/tokens.ts';
import { logsHeard, range, seqs, useWorld } from './support/world.ts';

const world = useWorld();

describe('a conversation`s log', () => {
  it('is numbered 1, 2, 3 … without a gap, whoever writes at the same time', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const sent = await Promise.all(range(1, 40).map((n) => world.send(n % 2 === 0 ? ann : bob, id, `${n}`)));
    expect(sent.toSorted((a, b) => a - b)).toEqual(range(2, 41));
    expect(seqs((await world.entries(ann, id, { after: 0, limit: 200 })).entries)).toEqual(range(1, 41));
  });

  it('is announced to every device of every member, the sender`s included, and to nobody else', async () => {
    const [ann, bob, eve] = await world.people('ann', 'bob', 'eve');
    const { id } = await world.create(ann, { members: [bob] });
    const devices = await Promise.all([
      world.device(ann, { deviceId: 'phone' }),
      world.device(ann, { deviceId: 'laptop' }),
      world.device(bob, { deviceId: 'phone' }),
    ]);
    const outsider = await world.device(eve);
    const seq = await world.send(ann, id);
    for (const device of devices) await device.reach(`c/${id}`, seq);
    const own = await world.create(eve);
    await outsider.reach(`c/${own.id}`, await world.send(eve, own.id));
    expect(logsHeard(outsider, 'conversation')).toEqual(new Set([`c/${own.id}`]));
  });

  it('is announced only as far as it was committed', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const device = await world.device(bob);
    const last = await world.sendMany(ann, id, 10);
    await device.reach(`c/${id}`, last);
    expect(device.position(`c/${id}`)).toBe(last);
    for (const seq of device.heard('notify').flatMap(({ keys }) => keys.filter(([log]) => log === `c/${id}`).map(([, seq]) => seq))) {
      const page = await world.entries(bob, id, { after: seq - 1, min: seq, limit: 1 });
      expect(seqs(page.entries)).toEqual([seq]);
    }
  });
});

describe('a user`s feed', () => {
  it('is announced to the user`s devices and to nobody else`s', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const annDevice = await world.device(ann);
    const bobDevice = await world.device(bob);
    const { id } = await world.create(ann, { members: [bob] });
    const version = async (person: typeof ann) => (await world.sync(person, { feed: { after: 0 } })).feed?.version ?? 0;
    await annDevice.reach(`u/${ann.id}`, await version(ann));
    await bobDevice.reach(`u/${bob.id}`, await version(bob));
    await world.send(ann, id);
    (await world.http.call('markRead', { token: bob.token, params: { conversationId: id }, body: { seq: 2 } })).ok();
    await bobDevice.reach(`u/${bob.id}`, await version(bob));
    expect(logsHeard(annDevice, 'feed')).toEqual(new Set([`u/${ann.id}`]));
    expect(logsHeard(bobDevice, 'feed')).toEqual(new Set([`u/${bob.id}`]));
  });
});

describe('the app`s log', () => {
  it('exists, is empty, and a cursor beyond it is told so', async () => {
    const [ann] = await world.people('ann');
    expect((await world.sync(ann, { app: { after: 0 } })).app).toEqual({ entries: [], head: 0, more: false });
    (await world.http.call('sync', { token: ann.token, body: { app: { after: 5 } } })).refused('seq_ahead');
  });
});

describe('the epoch', () => {
  it('is the same in the welcome and in every sync answer', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    using device = await world.device(ann);
    const { epoch } = device.welcome;
    expect((await world.entries(ann, id)).epoch).toBe(epoch);
    expect((await world.sync(ann, {})).epoch).toBe(epoch);
    expect((await world.http.call('listHeads', { token: ann.token })).ok().epoch).toBe(epoch);
  });

  it('changes everywhere when the database says that it was restored', async () => {
    const { otherApp, database } = world.system;
    const [zoe] = await world.peopleOf(otherApp, ['zoe']);
    if (zoe === undefined) throw new Error('no user');
    const { id } = await world.create(zoe);
    const { epoch } = await world.entries(zoe, id);
    await database.query('update app set epoch = epoch + 1 where id = $1', [otherApp.id]);
    await readAgain(world.system);
    const pull = () => world.http.call('listEntries', { token: zoe.token, params: { conversationId: id } });
    await waitFor('the process to have looked at its database and to serve again', async () => (await pull()).status === 200);
    using device = await world.device(zoe);
    expect(device.welcome.epoch).toBe(epoch + 1);
    expect((await world.entries(zoe, id)).epoch).toBe(epoch + 1);
    expect((await world.sync(zoe, {})).epoch).toBe(epoch + 1);
  });
});
