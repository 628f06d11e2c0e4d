import type { TestDatabase } from '../../../support/database.ts';

/** Sets how long these functions of the database wait for a row's lock, `'250ms'`. */
export async function setLockTimeout(database: TestDatabase, timeout: string, ...names: readonly string[]): Promise<void> {
  for (const name of names) await database.query(`alter function ${name} set lock_timeout = '${timeout}'`);
}
