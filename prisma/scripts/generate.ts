import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

// `prisma generate` without a download: the client needs no schema engine, but the CLI fetches one unless it is told of a binary.
// Any file that exists will do; it is never run.
const manifest = createRequire(import.meta.url).resolve('prisma/package.json');
const { status } = spawnSync(process.execPath, [join(dirname(manifest), 'build/index.js'), 'generate', '--no-hints'], {
  cwd: join(import.meta.dirname, '..'),
  stdio: ['ignore', 'ignore', 'inherit'],
  env: { ...process.env, CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1', PRISMA_SCHEMA_ENGINE_BINARY: process.execPath },
});
process.exitCode = status ?? 1;
