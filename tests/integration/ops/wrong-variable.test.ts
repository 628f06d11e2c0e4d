import { expect, it } from 'vitest';
import { startChild } from '../../support/process.ts';

it.each(['api', 'sync', 'gateway'])('%s ends with one line that names the variable at fault', async (app) => {
  for (const [env, said] of [
    [{ DATABASE_URL: 'postgres://127.0.0.1:1/none', PORT: 'http' }, /^could not start: PORT takes/],
    [{ PORT: '0' }, /^could not start: DATABASE_URL is required/],
  ] as const) {
    await using child = await startChild({ script: `apps/${app}/src/main.ts`, env });
    expect(await child.exited).toMatchObject({ code: 1 });
    expect(child.lines).toEqual([expect.stringMatching(said)]);
  }
});
