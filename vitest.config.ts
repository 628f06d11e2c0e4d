import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const globalSetup = './tests/support/global-setup.ts';
const shared = {
  pool: 'forks',
  execArgv: ['--conditions=@nudge/source'],
  testTimeout: 30_000,
  hookTimeout: 60_000,
  server: { deps: { inline: [/^@nudge\//] } },
  ...(existsSync(globalSetup) ? { globalSetup } : {}),
} as const;
const resolve = { conditions: ['@nudge/source'] };
const ssr = { resolve: { conditions: ['@nudge/source'], externalConditions: ['@nudge/source'] } };

export default defineConfig({
  test: {
    projects: [
      { resolve, ssr, test: { ...shared, name: 'unit', include: ['{apps,packages}/*/src/**/*.test.ts', 'prisma/src/**/*.test.ts'] } },
      { resolve, ssr, test: { ...shared, name: 'system', include: ['tests/**/*.test.ts'] } },
    ],
  },
});
