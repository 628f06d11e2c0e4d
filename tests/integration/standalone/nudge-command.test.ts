import { expect, inject, test } from 'vitest';
import { startChild } from '../../support/process.ts';
import { createTempDir } from '../../support/temp-dir.ts';

async function nudge(args: readonly string[], env: Record<string, string> = {}) {
  await using child = await startChild({ script: 'scripts/nudge/main.ts', args, env });
  const { code } = await child.exited;
  return { code, said: child.lines.join('\n') };
}

test('nudge --help lists the commands; what it does not know is named before any database is touched', async () => {
  expect(await nudge(['--help'])).toMatchObject({
    code: 0,
    said: expect.stringMatching(/epoch keep[\s\S]*epoch bump[\s\S]*--database-url/),
  });
  const nowhere = { DATABASE_URL: 'postgres://127.0.0.1:1/none' };
  for (const [args, said] of [
    [[], /^a command is missing\nnpm run nudge/],
    [['epok'], /^epok: unknown\nnpm run nudge/],
    [['epoch', 'kep'], /^epoch kep: unknown; it is "epoch", "epoch keep" or "epoch bump"$/],
    [['epoch', 'keep', 'all'], /^epoch keep: nothing is expected after it, but all was given$/],
    [['epoch', '--force'], /^Unknown option '--force'\nnpm run nudge/],
  ] as const) {
    expect(await nudge(args, nowhere)).toMatchObject({ code: 1, said: expect.stringMatching(said) });
  }
});

test('a database that cannot be reached or is not Nudge’s is said to be so, and none is made where there is none', async () => {
  await using dir = await createTempDir('nudge-command');
  expect(await nudge(['epoch'], { DATA_DIR: dir.path })).toMatchObject({
    code: 1,
    said: `there is no embedded database in ${dir.path}: name a database with --database-url, or the directory with DATA_DIR`,
  });
  expect(await nudge(['epoch', 'keep', '--database-url', 'postgres://127.0.0.1:1/none'])).toMatchObject({
    code: 1,
    said: expect.stringContaining('the database is unavailable'),
  });
  expect(await nudge(['epoch', '--database-url', inject('postgres').adminConnectionString])).toMatchObject({
    code: 1,
    said: expect.stringMatching(/is not Nudge's, or not migrated \(npm run db:migrate\)$/),
  });
});
