import { PrismaPg } from '@prisma/adapter-pg';
import { ColumnTypeEnum, type SqlDriverAdapter, type SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type pg from 'pg';

/** PostgreSQL's one-byte "char", which the catalogues use and @prisma/adapter-pg 7.10 refuses, although the engine reads it. */
const CHAR = 18;
const TEXT = 25;

/**
 * `@prisma/adapter-pg` that can also read the catalogues: a "char" passes it as text and is named a character to the engine.
 * The caller ends the pool.
 */
export function catalogueAdapter(pool: pg.Pool): SqlDriverAdapterFactory {
  const charColumns = new WeakMap<object, number[]>();
  const inner = new PrismaPg(charAsText(pool, charColumns), { disposeExternalPool: false });
  return {
    provider: inner.provider,
    adapterName: inner.adapterName,
    connect: async () => readingChars(await inner.connect(), charColumns),
  };
}

function charAsText(pool: pg.Pool, charColumns: WeakMap<object, number[]>): pg.Pool {
  const query = async (config: pg.QueryConfig): Promise<pg.QueryResult> => {
    const result = await pool.query(config);
    const found = result.fields.flatMap((field, column) => (field.dataTypeID === CHAR ? [column] : []));
    for (const field of result.fields) if (field.dataTypeID === CHAR) field.dataTypeID = TEXT;
    if (found.length > 0) charColumns.set(result.rows, found);
    return result;
  };
  return overriding(pool, { query });
}

function readingChars(adapter: SqlDriverAdapter, charColumns: WeakMap<object, number[]>): SqlDriverAdapter {
  const queryRaw: SqlDriverAdapter['queryRaw'] = async (query) => {
    const result = await adapter.queryRaw(query);
    for (const column of charColumns.get(result.rows) ?? []) result.columnTypes[column] = ColumnTypeEnum.Character;
    return result;
  };
  return overriding(adapter, { queryRaw });
}

/** `target` with some of its methods replaced; the others keep their `this`. */
function overriding<T extends object>(target: T, methods: Record<string, unknown>): T {
  return new Proxy(target, {
    get(_, property) {
      if (typeof property === 'string' && Object.hasOwn(methods, property)) return methods[property];
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
