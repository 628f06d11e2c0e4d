import { gzipSync } from 'node:zlib';
import { defaultLimits, type Route, type RouteName } from '@nudge/types';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkAnswer, checkProblem, pathOf } from '../protocol/support/http.ts';
import { complaints, routes, useArena } from './support/arena.ts';
import { nested, toJsonText } from './support/json-text.ts';
import { canary, sampleOf } from './support/schema-cases.ts';
import { openWire, type Wire } from './support/wire.ts';

/** Bodies that are no JSON, too much of it, or never complete: against every route, over connections written by hand. */
const arena = useArena();

const withBody = routes.filter(([, route]) => route.body !== undefined);
const withoutBody = routes.filter(([, route]) => route.body === undefined);

const pathFor = (route: Route) => pathOf(route, { params: arena.params });
const valid = (route: Route) => (route.body === undefined ? '' : toJsonText(sampleOf(route.body, arena.names)));
const maxBytes = (route: Route) => defaultLimits[route.bodyLimit === 'adminBodyBytes' ? 'adminBodyBytes' : 'httpBodyBytes'];

function head(route: Route, headers: Readonly<Record<string, string>>): string {
  const all = { host: new URL(arena.world.system.url).host, authorization: `Bearer ${arena.credential(route)}`, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `${route.method} ${pathFor(route)} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** Sends one request by hand; answers status and code, after holding the answer to the contract. */
async function outcome(
  name: RouteName,
  route: Route,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
): Promise<string> {
  using wire = openWire(arena.world.system.url);
  wire.write(head(route, headers));
  wire.write(body);
  const { status, headers: answered, body: text } = await wire.answer();
  if (text.includes(canary)) throw new Error('the answer quotes what was sent');
  const json = checkAnswer(name, route, { status, headers: answered, text }) as { code?: string };
  return `${status} ${json.code}`;
}

const jsonType = 'application/json';
const sized = (body: string | Uint8Array) => ({ 'content-type': jsonType, 'content-length': String(Buffer.byteLength(body)) });

/** A request that never completes, begun before all others. */
let trickle: Wire;
beforeAll(() => {
  const [, route] = withBody.find(([name]) => name === 'sendMessage') ?? [];
  if (route === undefined) throw new Error('no route');
  trickle = openWire(arena.world.system.url);
  trickle.write(head(route, { 'content-type': jsonType, 'content-length': '1000' }));
  trickle.write('{"clientMsgId":');
  return () => trickle[Symbol.dispose]();
});

describe('a body that is no JSON object', () => {
  const invalid: Record<string, string | Uint8Array> = {
    'not JSON': canary,
    'cut off': '{"clientMsgId":"x","body":{',
    'two values': '{}{}',
    'a trailing comma': '{"a":1,}',
    'single quotes': "{'a':1}",
    'a comment': '{}//',
    NaN: '{"a":NaN}',
    null: 'null',
    text: `"${canary}"`,
    'a number': '1',
    'a list': '[]',
    'white space': '   ',
    'a byte order mark': '\ufeff{}',
    'no UTF-8': Uint8Array.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
    'an overlong encoding': Uint8Array.from([0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
    'UTF-16': new Uint8Array(Buffer.from('{"a":1}', 'utf16le')),
    'a surrogate in UTF-8': Uint8Array.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
    'a raw control character': '{"a":"\u0001"}',
    'lists 100,000 deep': '['.repeat(50_000) + ']'.repeat(50_000),
    'lists that never close': '['.repeat(60_000),
    'objects 10,000 deep': '{"a":'.repeat(10_000),
    'nested in the body': `{"body":${nested(20_000).text}}`,
    'a string that never ends': `{"a":"${'\\'.repeat(50_001)}`,
  };

  it.each(withBody)('is refused by %s', async (name, route) => {
    await arena.unharmed(async () => {
      const found = await complaints(
        Object.entries(invalid),
        ([what]) => what,
        async ([, body]) => {
          const answer = await outcome(name, route, sized(body), body);
          // What is over the route's bound may be refused for that.
          if (!['400 invalid_request', '413 too_large'].includes(answer)) throw new Error(answer);
        },
      );
      expect(found).toEqual([]);
    });
  });
});

describe('a body of another type', () => {
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/json; charset=latin1',
    'application/json, text/plain',
    'application/jsonp',
    'application/merge-patch+json',
    'text/json',
    '*/*',
    '',
  ];

  it.each(withBody)('is refused by %s', async (name, route) => {
    const body = valid(route);
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const gzip = gzipSync(body);
    await arena.unharmed(async () => {
      const found = await complaints(
        types,
        (type) => type,
        async (type) => expect(await outcome(name, route, { ...length, 'content-type': type }, body)).toBe('415 unsupported_media_type'),
      );
      expect(found).toEqual([]);
      expect(await outcome(name, route, length, body)).toBe('415 unsupported_media_type');
      for (const coding of ['gzip', 'deflate', 'br', 'x']) {
        const headers = { ...sized(gzip), 'content-encoding': coding };
        expect(await outcome(name, route, headers, new Uint8Array(gzip))).toBe('415 unsupported_media_type');
      }
    });
  });
});

describe('a body over its bound', () => {
  it.each(withBody)('is refused by %s: declared, sent, or in chunks that never end', async (name, route) => {
    const bound = maxBytes(route);
    await arena.unharmed(async () => {
      // Declared only: the answer does not wait for it.
      expect(await outcome(name, route, { 'content-type': jsonType, 'content-length': String(bound + 1) }, '{')).toBe('413 too_large');
      expect(await outcome(name, route, { 'content-type': jsonType, 'content-length': '99999999999' }, '{')).toBe('413 too_large');
      const big = `{"x":"${'x'.repeat(bound)}"}`;
      expect(await outcome(name, route, sized(big), big)).toBe('413 too_large');
      using wire = openWire(arena.world.system.url);
      wire.write(head(route, { 'content-type': jsonType, 'transfer-encoding': 'chunked' }));
      const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
      // As long as the server takes it; at most a few times the bound.
      let sent = 0;
      while (!wire.closed && sent < bound + 16 * 1024 * 1024) {
        sent += chunk.length;
        if (!wire.socket.write(chunk))
          await new Promise((resolve) => wire.socket.once('drain', resolve).once('close', resolve).once('error', resolve));
      }
      expect(wire.closed, 'the server took all of it').toBe(true);
    });
  });
});

describe('a body where none belongs', () => {
  it.each(withoutBody)('is refused by %s', async (name, route) => {
    await arena.unharmed(async () => {
      expect(await outcome(name, route, sized('{}'), '{}')).toBe('400 invalid_request');
      expect(await outcome(name, route, { 'content-type': jsonType, 'transfer-encoding': 'chunked' }, '2\r\n{}\r\n0\r\n\r\n')).toBe(
        '400 invalid_request',
      );
    });
  });
});

describe('a request that breaks HTTP', () => {
  it.each(withBody)('to %s ends in a 4xx or a closed connection', async (_, route) => {
    const body = valid(route);
    const json = { 'content-type': jsonType };
    const requests: Record<string, string> = {
      'two lengths': `${head(route, { ...json, 'content-length': `${body.length}\r\ncontent-length: 5` })}${body}`,
      'length and chunks': `${head(route, { ...json, 'content-length': '5', 'transfer-encoding': 'chunked' })}0\r\n\r\n`,
      'a negative length': `${head(route, { ...json, 'content-length': '-1' })}${body}`,
      'a length that is no number': `${head(route, { ...json, 'content-length': '1e3' })}${body}`,
      'an unknown coding': `${head(route, { ...json, 'transfer-encoding': 'gzip' })}${body}`,
      'chunks without sizes': `${head(route, { ...json, 'transfer-encoding': 'chunked' })}${body}`,
      'a chunk size beyond all bounds': `${head(route, { ...json, 'transfer-encoding': 'chunked' })}fffffffffffffffff\r\n`,
      'a header over the bound': head(route, { ...json, 'content-length': '2', 'x-big': 'x'.repeat(20_000) }),
      'a header with a NUL': head(route, { ...json, 'x-nul': 'a\u0000b' }),
      'a header line that is none': head(route, { ...json, 'content-length': '2\r\nnonsense' }),
      'no host': `${route.method} ${pathFor(route)} HTTP/1.1\r\ncontent-length: 0\r\n\r\n`,
      'another protocol': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'not HTTP at all': '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001',
      'a tunnel': 'CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n',
    };
    await arena.unharmed(async () => {
      const found = await complaints(
        Object.entries(requests),
        ([what]) => what,
        async ([what, request]) => {
          using wire = openWire(arena.world.system.url);
          wire.write(request);
          const { status, headers, body: text } = await wire.answer();
          if (status < 400 || status >= 500) throw new Error(`it was answered ${status}`);
          // What node answers by itself, and a head over its bound, have no body.
          if (text !== '') checkProblem(status, headers, JSON.parse(text));
          else if (status !== 431 && what !== 'no host') throw new Error(`${status} without a problem document`);
        },
      );
      expect(found).toEqual([]);
    });
  });

  it('with an unknown method is refused', async () => {
    for (const method of ['TRACE', 'PROPFIND', 'HEAD', 'LINK']) {
      using wire = openWire(arena.world.system.url);
      wire.write(`${method} /v1/sync HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      await wire.end();
      expect(wire.text, method).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
  });
});

describe('a request from a foreign page', () => {
  it.each(routes)('to %s gets an answer that its browser withholds', async (_, route) => {
    for (const origin of ['https://evil.example', 'null', `${arena.world.system.url}.evil.example`]) {
      const response = await fetch(arena.world.system.url + pathFor(route), { method: route.method, headers: { origin } });
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      await response.text();
    }
  });
});

describe('a client that goes away', () => {
  it.each(withBody)('in the middle of a request to %s harms nothing', async (_, route) => {
    await arena.unharmed(async () => {
      const body = valid(route);
      for (const cut of [0, 1, Math.floor(body.length / 2), body.length - 1]) {
        const wire = openWire(arena.world.system.url);
        await new Promise((resolve) => wire.socket.write(head(route, sized(body)) + body.slice(0, cut), resolve));
        wire.socket.resetAndDestroy();
      }
    });
  });
});

describe('a request that does not arrive in time', () => {
  it('is given up after some seconds', async () => {
    await arena.unharmed(async () => {
      const { status, headers, body } = await trickle.answer(20_000);
      expect(checkProblem(status, headers, JSON.parse(body)).code).toBe('request_timeout');
      await trickle.end();
    });
  });
});

describe('the log', () => {
  it('holds lines, but nothing of what was sent and no token', () => {
    const text = arena.log();
    expect(text.length).toBeGreaterThan(1_000);
    for (const secret of [canary, arena.alice.token, arena.world.system.app.serverKey]) expect(text).not.toContain(secret);
    expect(text).not.toContain('"level":"error"');
  });
});
