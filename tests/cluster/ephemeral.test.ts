import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { httpClient } from '../protocol/support/http.ts';
import { connectDevice, tellUntil } from '../protocol/support/socket.ts';
import { send } from '../races/support/arena.ts';
import { filesWith, newCanary, tablesWith } from '../support/canary.ts';
import { startRedis } from '../support/redis.ts';
import { createTempDir } from '../support/temp-dir.ts';
import { startStackOnRedis } from './support/stack.ts';

test('what crosses Redis from one gateway to another is in none of its files, in no table and in no log', async () => {
  await using dir = await createTempDir('redis-kept');
  // A Redis that stores whatever is stored in it, readable.
  const settings = { dir: dir.path, appendonly: 'yes', appendfsync: 'always', rdbcompression: 'no', 'aof-use-rdb-preamble': 'no' };
  await using redis = await startRedis({ settings });
  await using stack = await startStackOnRedis(redis.url, { users: ['ann', 'bob'], env: { LOG_LEVEL: 'debug' } });
  const http = httpClient(stack.url);
  const [ann, bob] = [
    { id: 'ann', token: stack.app.token('ann') },
    { id: 'bob', token: stack.app.token('bob') },
  ];
  const { id } = (await http.call('createConversation', { token: ann.token, body: { type: 'group', members: ['bob'] } })).ok(
    201,
  ).conversation;
  const [here, there] = stack.of('gateway');
  if (here === undefined || there === undefined) throw new Error('two gateways are needed');
  using sender = await connectDevice(here.url, { token: ann.token, deviceId: 'sender' });
  using watcher = await connectDevice(there.url, { token: bob.token, deviceId: 'watcher' });
  for (const device of [sender, watcher]) await device.ask('watch', { conversationIds: [id] });
  await watcher.ask('presence.watch', { userIds: ['ann'] });

  const [name, key, value] = [newCanary(), newCanary(), newCanary()];
  const event = { conversationId: id, name, payload: { [key]: { deep: [value] } } };
  await tellUntil(sender, 'event', event, () => watcher.heard('event').some((heard) => Object.hasOwn(heard.payload, key)));
  await tellUntil(sender, 'typing', { conversationId: id, active: true }, () => watcher.heard('typing').length > 0);
  const control = newCanary();
  const { seq } = (await send(http, ann, id, 'control', control)).ok(201);
  await watcher.reach(`c/${id}`, seq);

  await redis.command('SET', 'control', control);
  await redis.command('SAVE');
  expect((await readFile(join(dir.path, 'dump.rdb'))).includes(control), 'the dump can be read').toBe(true);
  expect((await filesWith(dir.path, control)).length, 'and the command log').toBeGreaterThan(1);
  expect(await tablesWith(stack.database, control), 'the control is in its table').toEqual(['public.entry']);
  expect(stack.lines.length, 'the logs were kept').toBeGreaterThan(0);
  for (const word of [name, key, value]) {
    expect(await filesWith(dir.path, word)).toEqual([]);
    expect(await tablesWith(stack.database, word)).toEqual([]);
    expect(stack.lines.filter((line) => line.includes(word))).toEqual([]);
  }
  const stored = String(await redis.command('KEYS', '*'));
  expect(stored, 'no key of a room or of who types').not.toContain(id);
}, 120_000);
