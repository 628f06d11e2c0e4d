import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePorts } from '../../support/free-ports.ts';
import { startChild } from '../../support/process.ts';
import { createTempDir } from '../../support/temp-dir.ts';

const script = new URL('../../../apps/standalone/src/demo/terminal/main.ts', import.meta.url).pathname;

async function play(cwd: string) {
  await using child = await startChild({ script, cwd });
  return { ...(await child.exited), said: child.lines.join('\n') };
}

test('npm run demo without a server says what to start, also where one that was killed left its session', async () => {
  await using dir = await createTempDir('demo');
  expect(await play(dir.path)).toMatchObject({
    code: 1,
    said: expect.stringMatching(/^\.data\/demo\.json and .* are not there: start the server/),
  });

  const url = `http://127.0.0.1:${await freePorts(1)}`;
  const users = ['alice', 'bob'].map((id) => ({ id, token: 'none' }));
  await mkdir(join(dir.path, '.data'));
  await writeFile(join(dir.path, '.data', 'demo.json'), JSON.stringify({ url, opsUrl: url, serverKey: '', conversationId: 'c', users }));
  expect(await play(dir.path)).toMatchObject({ code: 1, said: expect.stringContaining(`nothing answers at ${url}`) });
});
