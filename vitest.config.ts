import { defineConfig } from 'vitest/config';

const shared = {
  pool: 'forks',
  execArgv: ['--conditions=@nudge/source'],
  testTimeout: 30_000,
  hookTimeout: 60_000,
  server: { deps: { inline: [/^@nudge\//] } },
} as const;
const resolve = { conditions: ['@nudge/source'] };
const ssr = { resolve: { conditions: ['@nudge/source'], externalConditions: ['@nudge/source'] } };

export default defineConfig({
  test: {
    // At the root, not in a project: one PostgreSQL serves the whole run.
    globalSetup: './tests/support/global-setup.ts',
    projects: [
      { resolve, ssr, test: { ...shared, name: 'unit', include: ['{apps,packages}/*/src/**/*.test.ts', 'prisma/src/**/*.test.ts'] } },
      { resolve, ssr, test: { ...shared, name: 'system', include: ['tests/**/*.test.ts'] } },
    ],
  },
});
