import type { MigrationProgress } from './migrate.ts';

/** One line for a person. */
export function describeProgress(progress: MigrationProgress): string {
  if (progress.step === 'waiting') return 'waiting for another migrator';
  const { step, name, index, total, ms } = progress;
  return `[${index + 1}/${total}] ${step} ${name}${ms === undefined ? '' : ` in ${ms} ms`}`;
}
