import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { createOriginPolicy, NudgeError } from '@nudge/server-kit';
import { describe, expect, it } from 'vitest';
import { judgeUpgrade, refuseUpgrade } from './upgrade.ts';

const origins = createOriginPolicy({ allowed: [], localhost: false });
const request = (url: string, headers: Record<string, string> = {}) => ({ url, method: 'GET', headers }) as unknown as IncomingMessage;
const good = '/socket.io/?EIO=4&transport=websocket';

describe('upgrade', () => {
  it.each(['draining', 'overloaded'] as const)(
    'refuses with 503 and a delay while %s, but only what could have been let in',
    async (refusal) => {
      const refuse = () => new NudgeError(refusal, { retryAfterMs: 1_500 });
      expect(judgeUpgrade(request('/elsewhere'), { origins, refuse })).toMatchObject({ code: 'not_found' });
      const error = judgeUpgrade(request(good), { origins, refuse });
      expect(error).toMatchObject({ code: refusal, status: 503 });
      if (typeof error === 'string') return;
      const socket = new PassThrough();
      refuseUpgrade(socket, error);
      const answer = (await socket.setEncoding('utf8').toArray()).join('');
      expect(answer).toMatch(/^HTTP\/1\.1 503 /);
      expect(answer).toMatch(/\r\nRetry-After: [123]\r\n/);
      expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toMatchObject({ code: refusal, status: 503, retryable: true });
    },
  );

  it('lets in what is in order, with the heartbeat profile it names', () => {
    const judge = (url: string) => judgeUpgrade(request(url), { origins, refuse: () => undefined });
    expect(judge(good)).toBe('wifi');
    expect(judge(`${good}&hb=background`)).toBe('background');
    expect(judge(`${good}&hb=satellite`)).toMatchObject({ code: 'invalid_request', status: 400 });
    expect(judge(`${good}&hb=`)).toMatchObject({ code: 'invalid_request' });
  });
});
