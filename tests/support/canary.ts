import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestDatabase } from './database.ts';

/** A text that stands nowhere else in the world. */
export const newCanary = (): string => `canary${randomBytes(12).toString('hex')}`;

/** Every table, of every schema but PostgreSQL's own, with a row in which the text stands; a body is looked at as it is stored. */
export async function tablesWith(database: Pick<TestDatabase, 'query'>, text: string): Promise<string[]> {
  const tables = await database.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%'
        and c.relkind in ('r', 'p', 'm') and not c.relispartition order by 1`,
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const [row] = await database.query<{ count: number }>(`select count(*)::int as count from ${name} t where strpos(t::text, $1) > 0`, [
      text,
    ]);
    if ((row?.count ?? 0) > 0) found.push(name);
  }
  return found;
}

/** Every file below the directory in which the text stands as bytes; files that go away meanwhile are passed over. */
export async function filesWith(directory: string, text: string): Promise<string[]> {
  const bytes = Buffer.from(text);
  const found: string[] = [];
  for (const file of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const path = join(file.parentPath, file.name);
    try {
      if ((await readFile(path)).includes(bytes)) found.push(path.slice(directory.length + 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return found;
}
