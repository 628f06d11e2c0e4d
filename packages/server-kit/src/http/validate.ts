import type { z } from 'zod';
import { type Issue, NudgeError } from '../errors.ts';

const maxIssues = 20;
const maxMessage = 200;

/** What the schema gives out for `value`; throws `invalid_request` with the fields at fault, their paths beginning with `where`. */
export function validate<Schema extends z.ZodType>(schema: Schema, value: unknown, where: 'params' | 'query' | 'body'): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new NudgeError('invalid_request', {
    issues: result.error.issues.slice(0, maxIssues).map((issue) => describe(issue, where)),
  });
}

function describe(issue: z.core.$ZodIssue, where: string): Issue {
  const path = [where, ...issue.path.map(String)].join('.');
  return {
    path: path.slice(0, maxMessage),
    message: issue.message.slice(0, maxMessage),
  };
}
