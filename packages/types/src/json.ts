import { z } from 'zod';

/** A JSON object as the server stores and returns it. */
export type JsonObject = Record<string, unknown>;

/**
 * Why a parsed JSON value cannot be stored and returned unchanged, or `undefined` when it can: NUL and lone surrogates (PostgreSQL
 * refuses them in jsonb), integers beyond 2^53 (JavaScript rounds them), and nesting deeper than `maxDepth`. Iterative, so depth
 * costs no stack.
 */
export function unstorable(value: unknown, maxDepth: number): string | undefined {
  const stack: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { value: item, depth } = next;
    if (typeof item === 'string') {
      if (!isStorableText(item)) return 'text must not contain NUL or a lone surrogate';
    } else if (typeof item === 'number') {
      if (!Number.isFinite(item)) return 'a number must be finite';
      if (Number.isInteger(item) && !Number.isSafeInteger(item)) return 'an integer must lie within 2^53';
    } else if (typeof item === 'object' && item !== null) {
      if (depth > maxDepth) return `nested deeper than ${maxDepth}`;
      if (Array.isArray(item)) {
        for (const element of item) stack.push({ value: element, depth: depth + 1 });
      } else {
        for (const [key, member] of Object.entries(item)) {
          if (!isStorableText(key)) return 'a key must not contain NUL or a lone surrogate';
          stack.push({ value: member, depth: depth + 1 });
        }
      }
    } else if (typeof item !== 'boolean' && item !== null) {
      return 'not a JSON value';
    }
  }
  return undefined;
}

/** Whether PostgreSQL can hold the text and UTF-8 can carry it. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}

/** A JSON object that can be stored and returned unchanged (equal as JSON). Its size is bounded by the route that takes it. */
export function storableObject(maxDepth: number): z.ZodType<JsonObject, JsonObject> {
  return z.record(z.string(), z.unknown()).superRefine((value, context) => {
    const reason = unstorable(value, maxDepth);
    if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
  });
}

/** One line of text that can be stored: `min` to `max` UTF-16 units. */
export function storableText(min: number, max: number): z.ZodType<string, string> {
  return z.string().min(min).max(max).refine(isStorableText, 'text must not contain NUL or a lone surrogate');
}
