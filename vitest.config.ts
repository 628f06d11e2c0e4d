import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** Our packages run from source, in Vite's resolution and in the plain Node processes that a test starts. */
const conditions = ['@nudge/source'];

/** One PostgreSQL serves the whole run: at the root, not in a project. */
const globalSetup = './tests/support/global-setup.ts';

function project(name: string, include: string[]): TestProjectInlineConfiguration {
  return {
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
    test: {
      name,
      include,
      pool: 'forks',
      execArgv: conditions.map((condition) => `--conditions=${condition}`),
      testTimeout: 30_000,
      hookTimeout: 60_000,
      // A second, the default, is less than what a busy machine may stand still for.
      expect: { poll: { timeout: 10_000 } },
      server: { deps: { inline: [/^@nudge\//] } },
    },
  };
}

/** Every folder of `tests/` is a suite, so that none is forgotten. */
const suites = readdirSync('tests', { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
  .map((entry) => entry.name);

export default defineConfig({
  test: {
    globalSetup: existsSync(globalSetup) ? globalSetup : [],
    // Most of a test's time is the database's or a socket's, so two files at once pay even on two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: ['./scripts/summary-reporter.ts'],
    projects: [
      project('unit', ['{apps,packages}/*/src/**/*.test.ts', '{prisma,bench}/src/**/*.test.ts', 'scripts/**/*.test.ts']),
      ...suites.map((suite) => project(suite, [`tests/${suite}/**/*.test.ts`])),
    ],
  },
});
