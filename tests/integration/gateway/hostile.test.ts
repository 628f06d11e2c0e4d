import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.ts';
import { createGatewayWorld, type GatewayServer, type GatewayWorld, startGatewayServer } from './support/gateway-server.ts';

let world: GatewayWorld;
let server: GatewayServer;
beforeAll(async () => {
  world = await createGatewayWorld();
  server = await startGatewayServer(world);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

const id = '019aa5b2-7c1e-7d3a-9f00-3b6a1f2c4d5e';
const nested = `${'['.repeat(8_000)}${']'.repeat(8_000)}`;

/** Frames after the handshake that no client of this protocol sends, and no acknowledgement could answer, or whose JSON the protocol does not have. */
const violations: Record<string, (string | Buffer)[]> = {
  'a second CONNECT': ['40{}'],
  'an unknown namespace': ['40/admin,{}'],
  'an event in another namespace': ['42/admin,["watch",{}]'],
  'a binary event with a placeholder': ['451-["watch",{"_placeholder":true,"num":0}]', Buffer.from('x')],
  'a binary event with many attachments': ['45999999999-["watch"]'],
  'a binary acknowledgement': ['461-0[{"_placeholder":true,"num":0}]'],
  'a bare binary frame': [Buffer.from('420["watch",{}]')],
  'an acknowledgement nobody asked for': ['430[]'],
  'a CONNECT_ERROR': ['44{"message":"x"}'],
  'an unknown packet type': ['49'],
  'JSON that is none': ['42["watch",'],
  'an event without a name': ['42[]'],
  'a number for a name': ['42[7,{}]'],
  'an object for an event': ['42{"watch":1}'],
  'a reserved name': ['42["disconnect"]'],
  'a reserved name with an acknowledgement': ['421["connect"]'],
  'error as a name': ['42["error",{}]'],
  'an unknown event': ['42["admin.kick",{"userId":"bob"}]'],
  'a missing acknowledgement': [`42["watch",{"conversationIds":["${id}"]}]`],
  'typing without a payload': ['42["typing"]'],
  'typing with a wrong payload': ['42["typing",{"conversationId":"x","active":true}]'],
  'typing with too much': [`42["typing",{"conversationId":"${id}","active":true},{}]`],
  'a prototype as a field': [`427["watch",{"conversationIds":["${id}"],"__proto__":{"ok":true}}]`],
  'a key twice': [`427["watch",{"conversationIds":["${id}"],"conversationIds":["${id}"]}]`],
  'deep nesting': [`427["watch",${nested.slice(4_000, 12_000)}]`],
  'an engine packet that is none': ['x'],
  'an engine packet of the server`s': ['0{}'],
  'a ping in the wrong direction': ['2'],
  nothing: [''],
};

/** Acknowledged events that are refused, and the connection lives. */
const refusals: Record<string, string> = {
  'an unknown event': '["admin.kick",{"userId":"bob"}]',
  'the name of a method': '["toString",{}]',
  'the prototype': '["__proto__",{}]',
  'no payload': '["watch"]',
  'two payloads': '["watch",{"conversationIds":[]},{}]',
  null: '["watch",null]',
  'an array': '["watch",["a"]]',
  'an id that is none': '["watch",{"conversationIds":["x"]}]',
  'SQL for an id': '["watch",{"conversationIds":["\'; drop table entry; --"]}]',
  'an upper-case id': `["watch",{"conversationIds":["${id.toUpperCase()}"]}]`,
  'no ids': '["watch",{"conversationIds":[]}]',
  'too many ids': `["watch",{"conversationIds":${JSON.stringify(Array.from({ length: 101 }, () => id))}}]`,
  'a field of the server`s': `["watch",{"conversationIds":["${id}"],"userId":"bob"}]`,
  'a status that is none': '["presence.set",{"status":"offline"}]',
  'a user that is none': '["presence.watch",{"userIds":["$system"]}]',
  'a token that is none': '["reauth",{"token":"abc"}]',
  'typing with an acknowledgement and a wrong payload': '["typing",{"active":1}]',
};

describe('hostile frames', () => {
  it.each(Object.entries(violations))('%s: told so and cut off', async (_, frames) => {
    const raw = await server.raw();
    await raw.handshake(server.token('eve'));
    for (const frame of frames) raw.send(frame);
    expect(await raw.closed()).toBe('protocol_error');
  });

  it.each(Object.entries(refusals))('%s: refused, and the connection lives', async (_, event) => {
    const raw = await server.raw();
    await raw.handshake(server.token('eve'));
    raw.send(`427${event}`);
    const answer = JSON.parse((await raw.frame('437')).slice(3)) as { ok: boolean; code: string; retryable: boolean }[];
    expect(answer[0]).toMatchObject({ ok: false, code: event.includes('reauth') ? 'token_invalid' : 'invalid_request', retryable: false });
    raw.send(`428["unwatch",{"conversationIds":["${id}"]}]`);
    await raw.frame('438[{"ok":true}]');
  });

  it.each([
    '42["watch",{}]',
    '420["watch",{}]',
    '40/admin,{}',
    '40[]',
    '40"x"',
    '4',
    '41',
    '451-["x",{"_placeholder":true,"num":0}]',
    'hello',
  ])('before CONNECT %j: refused and cut off', async (frame) => {
    const raw = await server.raw();
    raw.send(frame);
    expect(await raw.closed()).toBe('invalid_request');
  });

  it('events sent while the handshake is judged end it', async () => {
    const raw = await server.raw();
    raw.send(`40${JSON.stringify({ token: server.token('eve'), deviceId: 'd' })}`);
    raw.send('40{}');
    await raw.closed();
  });

  it('a giant frame is cut off by its length alone', async () => {
    const raw = await server.raw();
    await raw.handshake(server.token('eve'));
    raw.send(`420["watch",{"conversationIds":["${'x'.repeat(20_000)}"]}]`);
    await waitFor('the close', () => raw.isClosed);
    expect([1006, 1009]).toContain(raw.closeCode);
  });

  it('a flood is refused, then cut off; a client that never reads the answers is not served', async () => {
    await using small = await startGatewayServer(world, { limits: { socketEventsPer10Seconds: 20 } });
    const raw = await small.raw();
    await raw.handshake(small.token('eve'));
    for (let i = 0; i < 40; i++) raw.send(`42${i}["unwatch",{"conversationIds":["${id}"]}]`);
    expect(await raw.frame('4339[')).toContain('"code":"rate_limited"');
    for (let i = 40; i < 200; i++) raw.send(`42${i}["unwatch",{"conversationIds":["${id}"]}]`);
    expect(await raw.closed()).toBe('too_many_events');
    expect(raw.frames.filter((frame) => frame.startsWith('43')).length).toBeLessThan(90);
  });

  it('a flood before CONNECT, of pongs or of typing is cut off too', async () => {
    await using small = await startGatewayServer(world, { limits: { socketEventsPer10Seconds: 5 } });
    const silent = await small.raw();
    for (let i = 0; i < 50; i++) silent.send('3');
    expect(await silent.closed()).toBe('rate_limited');
    const typist = await small.raw();
    await typist.handshake(small.token('eve'));
    for (let i = 0; i < 50; i++) typist.send(`42["typing",{"conversationId":"${id}","active":true}]`);
    expect(await typist.closed()).toBe('too_many_events');
  });

  it('leaves everyone else alone', async () => {
    const device = await server.connect('bob');
    await server.publishToUser('bob', { kind: 'key', log: 'u/bob', seq: 1 });
    await waitFor('the key', () => device.heard('u/bob') === 1);
  });
});
