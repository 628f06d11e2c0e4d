import { readFile } from 'node:fs/promises';
import { createRoutes, defaultLimits, errorRegistry, type Route, type RouteName } from '@nudge/types';
import { describe, expect, it } from 'vitest';
import { checkProblem, pathOf, sampleParams } from './support/http.ts';
import { range, useWorld } from './support/world.ts';

const world = useWorld({ env: { LIMIT_MARKS_PER_10_SECONDS: '5' } });

const routes = Object.entries(createRoutes(defaultLimits)) as [RouteName, Route][];

/** Any request; its answer must be a problem document. */
async function problemOf(path: string, init: RequestInit = {}) {
  const response = await fetch(world.system.url + path, init);
  const problem = checkProblem(response.status, response.headers, await response.json());
  return { problem, headers: response.headers };
}

describe('PROTOCOL.md', () => {
  it('lists every registered code under its status', async () => {
    const text = await readFile(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');
    const section = text.slice(text.indexOf('## 14. Errors'), text.indexOf('## 15. Limits'));
    for (const [code, { status }] of Object.entries(errorRegistry)) {
      const rows = section.split('\n').filter((line) => line.startsWith('|') && line.includes(`\`${code}\``));
      expect(rows, code).toHaveLength(1);
      expect(rows[0], code).toContain(String(status));
    }
  });
});

describe('a failing request', () => {
  it.each(routes)('to %s without a credential is a problem document', async (_, route) => {
    const { problem } = await problemOf(pathOf(route, { params: sampleParams }), { method: route.method });
    expect(problem.code).toBe('token_missing');
  });

  it('to a path that is none is 404', async () => {
    for (const path of [
      '/v1',
      '/v1/',
      '/v1/nothing',
      '/v2/sync',
      '/v1/conversations/',
      '/nowhere',
      '/v1/sync/',
      '/V1/sync',
      '/v1//sync',
      '/%00',
      '/..',
    ]) {
      expect((await problemOf(path)).problem.code, path).toBe('not_found');
    }
  });

  it('with a method the path does not have is 405 and says which it has', async () => {
    for (const [, route] of routes) {
      const path = pathOf(route, { params: sampleParams });
      const methods = routes.filter(([, other]) => other.path === route.path).map(([, { method }]) => method as string);
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((one) => !methods.includes(one))) {
        const { problem, headers } = await problemOf(path, { method });
        expect(problem.code, `${method} ${path}`).toBe('method_not_allowed');
        for (const known of methods) expect(headers.get('allow'), path).toContain(known);
      }
    }
  });

  it('names the fields at fault', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const problem = (
      await world.http.call('sendMessage', { token: ann.token, params: { conversationId: id }, body: { clientMsgId: '', body: 'x' } })
    ).refused('invalid_request');
    expect(problem.issues?.map(({ path }) => path).toSorted()).toEqual(['body.body', 'body.clientMsgId']);
    const query = (
      await world.http.call('listEntries', { token: ann.token, params: { conversationId: id }, query: { limit: 'x' } })
    ).refused('invalid_request');
    expect(query.issues?.map(({ path }) => path)).toEqual(['query.limit']);
    const params = (await world.http.call('getConversation', { token: ann.token, params: { conversationId: 'x' } })).refused(
      'invalid_request',
    );
    expect(params.issues?.map(({ path }) => path)).toEqual(['params.conversationId']);
  });

  it('carries the caller`s request id if that is well-formed, and one of the server otherwise', async () => {
    const own = await problemOf('/v1/me/unread', { headers: { 'x-request-id': 'mine-1.2_3' } });
    expect(own.problem.requestId).toBe('mine-1.2_3');
    for (const given of ['', 'x'.repeat(65), 'a b', '<script>']) {
      const { problem } = await problemOf('/v1/me/unread', { headers: { 'x-request-id': given } });
      expect(problem.requestId).not.toBe(given);
    }
    const ids = await Promise.all(range(1, 20).map(async () => (await problemOf('/v1/me/unread')).problem.requestId));
    expect(new Set(ids).size).toBe(20);
  });

  it('with a body that cannot be read says why', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const send = (rawBody: string, type: string | undefined) =>
      world.http.call('sendMessage', {
        token: ann.token,
        params: { conversationId: id },
        rawBody,
        headers: type === undefined ? {} : { 'content-type': type },
      });
    (await send('{', 'application/json')).refused('invalid_request');
    (await send('{}', 'text/plain')).refused('unsupported_media_type');
    (await send('{}', 'application/json; charset=latin1')).refused('unsupported_media_type');
    (await send(`{"clientMsgId":"x","body":{"text":"${'x'.repeat(64 * 1024)}"}}`, 'application/json')).refused('too_large');
    (await send('{"clientMsgId":"x","body":{}}', 'application/json; charset=UTF-8')).ok(201);
  });
});

describe('limits', () => {
  it('are announced in every answer, a failing one too', async () => {
    const [ann] = await world.people('ann');
    const answers = [
      await world.http.call('getUnread', { token: ann.token }),
      await world.http.call('getConversation', { token: ann.token, params: { conversationId: 'x' } }),
    ];
    for (const { headers } of answers) {
      expect(headers.get('ratelimit-limit')).toBe(String(defaultLimits.readsPer10Seconds));
      expect(headers.get('ratelimit-remaining')).toMatch(/^\d+$/);
      expect(Number(headers.get('ratelimit-remaining'))).toBeLessThan(defaultLimits.readsPer10Seconds);
      expect(Number(headers.get('ratelimit-reset'))).toBeGreaterThan(0);
      expect(Number(headers.get('ratelimit-reset'))).toBeLessThanOrEqual(10);
    }
  });

  it('refuse with 429 and Retry-After, per user, and name themselves', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const mark = (token: string) => world.http.call('markRead', { token, params: { conversationId: id }, body: { seq: 1 } });
    const answers = await Promise.all(range(1, 30).map(() => mark(ann.token)));
    const taken = answers.filter(({ status }) => status === 200);
    // What is used up comes back bit by bit.
    expect(taken.length).toBeGreaterThanOrEqual(5);
    expect(taken.length).toBeLessThanOrEqual(10);
    // Whichever of them came first.
    expect(Math.max(...taken.map(({ headers }) => Number(headers.get('ratelimit-remaining'))))).toBe(4);
    for (const refused of answers.filter(({ status }) => status !== 200)) {
      expect(refused.refused('rate_limited').detail).toContain('marksPer10Seconds');
      expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(10);
      expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    }
    (await mark(bob.token)).ok();
    // Another bound of the same user is not touched.
    await world.send(ann, id);
  });
});

describe('cross-origin requests', () => {
  it('are answered to pages of this machine and get no headers from elsewhere', async () => {
    const ask = (origin: string, method = 'GET') =>
      fetch(`${world.system.url}/v1/me/unread`, { method, headers: { origin, 'access-control-request-method': 'GET' } });
    const near = await ask('http://localhost:5173', 'OPTIONS');
    expect([near.status, near.headers.get('access-control-allow-origin')]).toEqual([204, 'http://localhost:5173']);
    expect(near.headers.get('access-control-allow-credentials')).toBeNull();
    for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example']) {
      const far = await ask(origin, 'OPTIONS');
      expect(far.headers.get('access-control-allow-origin')).toBeNull();
      const plain = await ask(origin);
      expect(plain.headers.get('access-control-allow-origin')).toBeNull();
      await plain.text();
    }
  });
});
