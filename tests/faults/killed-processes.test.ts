import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { copyOf, Load, listen, prepareData, pullAll, send, startStandalone } from './support/standalone.ts';

let prepared: TempDir;
beforeAll(async () => {
  prepared = await prepareData();
}, 120_000);
afterAll(async () => {
  await prepared?.[Symbol.asyncDispose]();
});

test('PostgreSQL killed under load: 503 and never an ack meanwhile, it resumes by itself, and nothing acknowledged is lost', async () => {
  await using data = await copyOf(prepared);
  await using server = await startStandalone(data.path);
  const load = new Load(server);
  await load.progress(30);
  const pid = await server.postgresPid();
  process.kill(pid, 'SIGKILL');
  await server.child.waitForLine(/PostgreSQL ended unexpectedly/);
  // A client checks of every 503 that it is a problem document with Retry-After.
  await waitFor('refusals', () => load.answers.has('503 database_unavailable'), { timeoutMs: 20_000 });
  await server.child.waitForLine(/PostgreSQL is back/);
  await load.progress(30);
  await load.stop();
  expect(await server.postgresPid(), 'another server').not.toBe(pid);
  expect(new Set(load.answers.keys())).toEqual(new Set(['201', '503 database_unavailable', ...(load.answers.has('200') ? ['200'] : [])]));
  expect(load.lost, 'every request was answered').toBe(0);
  const log = await pullAll(server);
  expect(load.breaches(log, server.session.users)).toEqual([]);
  const lastAcked = Math.max(...[...load.acked.values()].map(({ seq }) => seq));
  expect(load.breaches(log.slice(0, lastAcked - 1), server.session.users), 'a lost one would be seen').toHaveLength(1);
  expect(await server.child.kill('SIGTERM'), 'it had not crashed').toMatchObject({ code: 0 });
}, 120_000);

test('everything killed under load: after the restart all that was acknowledged is there, in order and once', async () => {
  await using data = await copyOf(prepared);
  await using killed = await startStandalone(data.path);
  const load = new Load(killed, { giveUp: true });
  await load.progress(40);
  const postgres = await killed.postgresPid();
  process.kill(postgres, 'SIGKILL');
  expect(await killed.child.kill('SIGKILL')).toMatchObject({ signal: 'SIGKILL' });
  await load.stop();
  expect(load.lost, 'requests were in flight').toBeGreaterThan(0);

  await using again = await startStandalone(data.path);
  expect(load.breaches(await pullAll(again), again.session.users)).toEqual([]);
  for (const [id, { user, seq }] of [...load.acked].slice(-5)) expect((await send(again, user, id)).ok(200).seq).toBe(seq);
  expect(await again.child.kill('SIGTERM')).toMatchObject({ code: 0 });
}, 120_000);

test('SIGTERM under load: sockets are told, the process ends by itself within 10 s, and nothing acknowledged is lost', async () => {
  await using data = await copyOf(prepared);
  await using server = await startStandalone(data.path);
  const devices = Array.from({ length: 20 }, (_, n) => listen(server.session.url, server.session.users[n % 2 ? 1 : 0].token, `d${n}`));
  try {
    await waitFor('the devices', () => devices.every(({ welcomes }) => welcomes === 1));
    const load = new Load(server, { giveUp: true });
    await load.progress(40);
    const startedAt = performance.now();
    const exit = await server.child.kill('SIGTERM');
    expect(performance.now() - startedAt, 'ms').toBeLessThan(10_000);
    expect(exit).toEqual({ code: 0, signal: null });
    await load.stop();
    expect(load.lost, 'it was under load').toBeGreaterThan(0);
    for (const device of devices) {
      expect(device.controls).toContainEqual(
        expect.objectContaining({ type: 'disconnect', reason: 'draining', retryAfterMs: expect.any(Number) }),
      );
    }
    await using again = await startStandalone(data.path);
    expect(load.breaches(await pullAll(again), again.session.users)).toEqual([]);
    await again.child.kill('SIGTERM');
  } finally {
    for (const device of devices) device[Symbol.dispose]();
  }
}, 120_000);
