import { z } from 'zod';

/** A whole number in a query string: decimal digits only, so that `1e9`, `0x10`, `-1`, `1.5` and a repeated name are refused. */
export const queryInteger = (min: number, max: number) =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,15})$/, 'a whole number in decimal digits')
    .transform(Number)
    .refine((n) => n >= min && n <= max, `a whole number from ${min} to ${max}`)
    .meta({ type: 'integer' });

/** A seq or cursor in a query string. */
export const querySeq = queryInteger(0, Number.MAX_SAFE_INTEGER);
