import { classify, type Pool } from '@nudge/db';
import { z } from 'zod';

const typesSchema = z.array(z.string()).nullish();

/** The custom types of an app that count as unread, as its settings have them now. Index: `app_pkey`. */
export async function countableTypes(pool: Pool, appId: string): Promise<readonly string[]> {
  const text = `select settings -> 'countableTypes' as types from app where id = $1`;
  try {
    const { rows } = await pool.query<{ types: unknown }>({ name: 'countable_types', text, values: [appId] });
    return typesSchema.parse(rows[0]?.types) ?? [];
  } catch (error) {
    throw classify(error);
  }
}
