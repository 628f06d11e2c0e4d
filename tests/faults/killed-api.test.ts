import { findFreePort } from '@nudge/standalone';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { copyOf, listen, prepareData, pullAll, send, startStandalone } from './support/standalone.ts';

/**
 * The process is killed inside of a send (`kill -9`, by itself, at a named point). What the sender cannot know is settled by sending
 * again, and what was committed is announced although nobody sends anything more (promises 1, 6, 7).
 */
let prepared: TempDir;
beforeAll(async () => {
  prepared = await prepareData();
}, 120_000);
afterAll(async () => {
  await prepared?.[Symbol.asyncDispose]();
});

test.each([
  ['before-append', 201],
  ['after-commit', 200],
  ['before-publish', 200],
] as const)(
  'killed at %s: the same send again is answered %i',
  async (failpoint, status) => {
    await using data = await copyOf(prepared);
    const port = String(await findFreePort());
    await using killed = await startStandalone(data.path, { PORT: port, FAILPOINT: failpoint });
    const before = await pullAll(killed);
    const log = `c/${killed.session.conversationId}`;
    using device = listen(killed.session.url, killed.session.users[1].token, `device-${failpoint}`);
    await waitFor('the device', () => device.welcomes === 1);

    const sent = send(killed, 0, 'deadly');
    // Before it publishes, it has answered: what was acknowledged must be announced by whoever comes after it.
    if (failpoint === 'before-publish') (await sent).ok(201);
    else await expect(sent, 'no answer').rejects.toThrow(TypeError);
    expect(await killed.child.exited, 'the failpoint fired').toMatchObject({ signal: 'SIGKILL' });
    expect(
      device.keys.filter(([name]) => name === log),
      'nothing was announced',
    ).toEqual([]);

    await using again = await startStandalone(data.path, { PORT: port, SWEEPER_INTERVAL_MS: '100', SWEEPER_AGE_MS: '3600000' });
    await waitFor('the device to be back', () => device.welcomes === 2);
    // Whoever is there hears a key: nothing was old enough for the sweeper before the device was.
    await again.query(`update outbox set created_at = created_at - interval '1 day', next_at = next_at - interval '1 day'`);
    const after = await pullAll(again);
    if (status === 201) {
      expect(after, 'nothing was written').toEqual(before);
    } else {
      expect(after).toHaveLength(before.length + 1);
      const key = await waitFor('the key of the sweeper', () => device.keys.find(([name]) => name === log));
      expect(key).toEqual([log, before.length + 1]);
    }
    expect((await send(again, 0, 'deadly')).ok(status).seq).toBe(before.length + 1);
    expect((await send(again, 0, 'deadly')).ok(200).seq).toBe(before.length + 1);
    expect((await pullAll(again)).map(({ seq, clientMsgId }) => [seq, clientMsgId]).at(-1)).toEqual([before.length + 1, 'deadly']);
    const { code } = await again.child.kill('SIGTERM');
    expect(code).toBe(0);
  },
  120_000,
);
