import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bindSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { catalogueAdapter } from './catalogue-adapter.ts';

const SCHEMA = join(import.meta.dirname, '../schema.prisma');

/**
 * What a migrated database and `schema.prisma` disagree about, for a person; null when they agree. Compared are tables, columns with
 * their types and defaults, indexes and foreign keys; check constraints, storage options and functions are not Prisma's to know.
 */
export async function drift(connectionString: string, schema?: string): Promise<string | null> {
  const content = schema ?? (await readFile(SCHEMA, 'utf8'));
  const files = [{ path: SCHEMA, content }];
  const pool = new pg.Pool({ connectionString, max: 2 });
  try {
    const adapter = bindSqlAdapterFactory(catalogueAdapter(pool));
    const engine = await SchemaEngine.new({ datamodels: [[SCHEMA, content]] }, () => undefined, adapter);
    try {
      const { exitCode, stdout } = await engine.diff({
        from: { tag: 'schemaDatasource', files, configDir: join(SCHEMA, '..') },
        to: { tag: 'schemaDatamodel', files },
        script: false,
        exitCode: true,
        filters: { externalTables: ['public._prisma_migrations'], externalEnums: [] },
      });
      return exitCode === 0 ? null : (stdout ?? 'they differ');
    } finally {
      engine.free();
    }
  } finally {
    await pool.end();
  }
}
