import type { Route } from '@nudge/types';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkAnswer, pathOf } from '../protocol/support/http.ts';
import { refusedHandshake } from '../protocol/support/socket.ts';
import { complaints, routes, useArena } from './support/arena.ts';
import { type BadToken, badTokens } from './support/bad-tokens.ts';
import { toJsonText } from './support/json-text.ts';
import { sampleOf } from './support/schema-cases.ts';
import { openWire } from './support/wire.ts';

/** Tokens that lie, against every route, the handshake and the renewal of a live socket. */
const arena = useArena();

let tokens: readonly BadToken[] = [];
beforeAll(async () => {
  tokens = await badTokens(arena.world.system, arena.alice.id);
  // First uses that must not be mistaken for traces of an attack.
  (await arena.world.http.call('getUnread', { token: arena.alice.token })).ok();
});

function init(route: Route, headers: Readonly<Record<string, string>>): RequestInit {
  const body = route.body === undefined ? undefined : toJsonText(sampleOf(route.body, arena.names));
  return {
    method: route.method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body }),
  };
}

const urlOf = (route: Route) => arena.world.system.url + pathOf(route, { params: arena.params });

describe('a token that lies', () => {
  it.each(routes)('is refused by %s', async (name, route) => {
    // With its own key, a route of servers does what it is asked.
    const lies = tokens.filter(({ token }) => route.auth !== 'server' || token !== arena.world.system.app.serverKey);
    await arena.unharmed(async () => {
      const found = await complaints(
        lies,
        ({ what }) => what,
        async ({ token, code }) => {
          const response = await fetch(urlOf(route), init(route, { authorization: `Bearer ${token}` }));
          const text = await response.text();
          const json = checkAnswer(name, route, { status: response.status, headers: response.headers, text }) as { code?: string };
          if (text.includes(token)) throw new Error('the answer quotes the token');
          const expected = route.auth === 'server' ? 'token_invalid' : code;
          if (json.code !== expected) throw new Error(`it was answered ${response.status} ${json.code}`);
        },
      );
      expect(found).toEqual([]);
    });
  });

  it('is refused by a handshake', async () => {
    await arena.unharmed(async () => {
      const found = await complaints(
        tokens.filter(({ token }) => token.length <= 4_096),
        ({ what }) => what,
        async ({ token, code }) => {
          const refusal = await refusedHandshake(arena.world.system.url, { token, deviceId: 'd' });
          if (refusal.code !== code || refusal.retryable) throw new Error(JSON.stringify(refusal));
        },
      );
      expect(found).toEqual([]);
    });
  });

  it('does not renew a live socket', async () => {
    await arena.unharmed(async () => {
      const device = await arena.world.device(arena.alice);
      const found = await complaints(
        tokens.filter(({ token }) => token.length <= 4_096),
        ({ what }) => what,
        async ({ token, code }) => device.askRefused(code, 'reauth', { token }),
      );
      expect(found).toEqual([]);
      await device.ask('presence.set', { status: 'online' });
    });
  });
});

describe('a header that lies', () => {
  const headers = (token: string): Record<string, string> => ({
    'no scheme': token,
    'another scheme': `Basic ${token}`,
    'two spaces': `Bearer  ${token}`,
    'two tokens': `Bearer ${token}, Bearer ${token}`,
    'a token and more': `Bearer ${token} x`,
    'nothing but the scheme': 'Bearer ',
  });

  it.each(routes)('is refused by %s', async (_, route) => {
    await arena.unharmed(async () => {
      const found = await complaints(
        Object.entries(headers(arena.credential(route) ?? '')),
        ([what]) => what,
        async ([, authorization]) => {
          const response = await fetch(urlOf(route), init(route, { authorization }));
          const { code } = (await response.json()) as { code: string };
          if (response.status !== 401 || !['token_missing', 'token_invalid'].includes(code)) throw new Error(`${response.status} ${code}`);
        },
      );
      expect(found).toEqual([]);
    });
  });

  it('with a token in the query, in a cookie, or given twice is no way in', async () => {
    const { url } = arena.world.system;
    for (const name of ['token', 'access_token', 'authorization']) {
      const response = await fetch(`${url}/v1/sync/conversations?${name}=${arena.alice.token}`, {
        headers: { cookie: `${name}=${arena.alice.token}` },
      });
      expect(((await response.json()) as { code: string }).code).toBe('token_missing');
    }
    using wire = openWire(url);
    wire.write(
      `GET /v1/me/unread HTTP/1.1\r\nhost: x\r\nauthorization: Bearer nonsense\r\nauthorization: Bearer ${arena.alice.token}\r\n\r\n`,
    );
    expect((await wire.answer()).status).toBe(401);
  });
});

describe('the log', () => {
  it('holds lines and no token, neither of those refused nor of those in order', () => {
    const text = arena.log();
    expect(text.length).toBeGreaterThan(1_000);
    for (const { what, token } of tokens) if (token.length > 20) expect(text.includes(token), what).toBe(false);
    expect(text).not.toContain(arena.alice.token);
    expect(text).not.toContain('"level":"error"');
  });
});
