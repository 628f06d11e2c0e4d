import { errorCodes, problemSchema } from '@nudge/types';
import { describe, expect, it } from 'vitest';
import { NudgeError, toNudgeError, toProblem } from './errors.ts';

it.each(errorCodes)('%s makes a problem document', (code) => {
  const error = new NudgeError(code, { detail: 'd', issues: [{ path: 'body.a', message: 'm' }] });
  const problem = toProblem(error, 'r1');
  expect(problemSchema.parse(problem)).toEqual(problem);
  expect(problem).toMatchObject({ code, status: error.status, retryable: error.retryable, requestId: 'r1' });
});

it('a 500 hides its detail', () => {
  const problem = toProblem(new NudgeError('internal', { detail: 'canary', issues: [{ path: 'canary', message: 'canary' }] }), 'r1');
  expect(JSON.stringify(problem)).not.toContain('canary');
});

describe('any failure', () => {
  it('keeps what has a code', () => {
    const error = new NudgeError('muted');
    expect(toNudgeError(error)).toBe(error);
  });

  it('keeps the code that an error of another package names, but not its text', () => {
    const error = Object.assign(new Error('canary'), { problemCode: 'database_unavailable', retryAfterMs: 500 });
    expect(toNudgeError(error)).toMatchObject({ code: 'database_unavailable', retryAfterMs: 500, detail: undefined, cause: error });
  });

  it.each([
    new Error('x'),
    Object.assign(new Error('x'), { problemCode: 'nonsense' }),
    Object.assign(new Error('x'), { problemCode: 'toString' }),
    Object.assign(new Error('x'), { problemCode: 500 }),
    'text',
    404,
    { problemCode: 'muted' },
  ])('is internal otherwise', (error) => {
    expect(toNudgeError(error)).toMatchObject({ code: 'internal', cause: error });
  });
});
