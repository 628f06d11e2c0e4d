import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { NudgeError } from './errors.ts';
import { createLogger, type Logger, REDACTED } from './log.ts';

let output: string;
let log: Logger;
beforeEach(() => {
  output = '';
  log = createLogger({
    name: 'test',
    level: 'trace',
    destination: {
      write(line) {
        output += line;
      },
    },
  });
});
const line = (): Record<string, unknown> => JSON.parse(output);

class DatabaseError extends Error {
  readonly code = '22P02';
  readonly detail = 'Key (canary)=(canary)';
}

it('logs what locates a fault', () => {
  log.info({ requestId: 'r1', conversationId: 'c1', status: 200, fresh: true, none: null, absent: undefined }, 'answered');
  expect(line()).toMatchObject({
    level: 'info',
    name: 'test',
    requestId: 'r1',
    conversationId: 'c1',
    status: 200,
    fresh: true,
    none: null,
    msg: 'answered',
  });
  expect(line()).not.toHaveProperty('absent');
});

it('replaces text, objects and lists under any other name', () => {
  log.info(
    { token: 'canary', body: { text: 'canary' }, list: ['canary'], headers: { authorization: 'canary' }, requestId: { canary: 1 } },
    'x',
  );
  expect(output).not.toContain('canary');
  expect(line()).toMatchObject({ token: REDACTED, body: REDACTED, list: REDACTED, headers: REDACTED, requestId: REDACTED });
});

it('binds what a child names', () => {
  log.child({ requestId: 'r1', route: 'sync' }).warn('slow');
  expect(line()).toMatchObject({ requestId: 'r1', route: 'sync', msg: 'slow' });
});

describe('an error', () => {
  it.each<[string, (log: Logger) => void]>([
    ['as err', (to) => to.error({ err: new DatabaseError('invalid input: "canary"') }, 'failed')],
    ['as err without a message', (to) => to.error({ err: new DatabaseError('canary') })],
    ['alone', (to) => to.error(new DatabaseError('canary'))],
    ['alone with a message', (to) => to.error(new DatabaseError('canary'), 'failed')],
    ['under another name', (to) => to.error({ reason: new DatabaseError('canary') }, 'failed')],
    ['as a cause', (to) => to.error({ err: new NudgeError('internal', { cause: new DatabaseError('canary') }) }, 'failed')],
    ['whose message looks like call sites', (to) => to.error({ err: new DatabaseError('x\n    at canary (canary:1:1)') }, 'failed')],
    ['of a parser', (to) => to.error({ err: parserError() }, 'failed')],
    ['that is none', (to) => to.error({ err: 'canary' }, 'failed')],
    ['with values to interpolate', (to) => to.error('failed: %s', 'canary')],
  ])('%s shows type and place but not its text', (_, write) => {
    write(log);
    expect(output).not.toContain('canary');
    expect(output.split('\n')).toHaveLength(2);
  });

  it('keeps code, call sites and causes', () => {
    log.error({ err: new NudgeError('internal', { detail: 'our own words', cause: new DatabaseError('x') }) }, 'failed');
    expect(line().err).toMatchObject({
      type: 'NudgeError',
      code: 'internal',
      message: 'our own words',
      cause: { type: 'DatabaseError', code: '22P02' },
    });
    expect(JSON.stringify(line().err)).toContain('log.test.ts');
  });

  it('keeps the message of the system and of the engine', () => {
    log.error({ err: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' }) });
    expect(line()).toMatchObject({ msg: 'connect ECONNREFUSED', err: { code: 'ECONNREFUSED' } });
    output = '';
    log.error(new TypeError('x is not a function'));
    expect(line()).toMatchObject({ msg: 'x is not a function', err: { type: 'TypeError' } });
  });
});

it('writes lines for people when asked', async () => {
  const destination = new PassThrough();
  const people = createLogger({ name: 'test', pretty: true, destination });
  const heard = new Promise<string>((resolve) => destination.once('data', (chunk: Buffer) => resolve(chunk.toString())));
  people.info({ port: 80, token: 'canary' }, 'listening');
  const text = await heard;
  expect(text).toContain('listening');
  expect(text).not.toContain('canary');
});

function parserError(): unknown {
  try {
    JSON.parse('{"canary":canary}');
  } catch (error) {
    return error;
  }
  return undefined;
}
