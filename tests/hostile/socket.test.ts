import { randomUUID } from 'node:crypto';
import { ackSchemas, clientEventSchemas, defaultLimits, handshakeAuthSchema, refusalSchema } from '@nudge/types';
import { beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { openRaw, openRawSession, type RawSocket, refusedUpgrade } from '../protocol/support/raw-socket.ts';
import { range, useWorld } from '../protocol/support/world.ts';
import { fasterThan } from '../support/faster-than.ts';
import { waitFor } from '../support/wait-for.ts';
import { complaints, useArena } from './support/arena.ts';
import { nested, toJsonText } from './support/json-text.ts';
import { canary, hostileCases, sampleOf } from './support/schema-cases.ts';

/** Everything a socket can send that no client of ours sends. Events and their fields come from the schemas: a new event is attacked by itself. */
const arena = useArena();

const schemas = Object.entries(clientEventSchemas(defaultLimits)) as [string, z.ZodType][];
const url = () => arena.world.system.url;

beforeAll(async () => {
  (await arena.world.http.call('getUnread', { token: arena.alice.token })).ok();
});

let ackId = 0;
/** Sends an event as text and returns its acknowledgement, or how the connection ended instead. */
async function ask(raw: RawSocket, name: string, payload: string): Promise<unknown> {
  ackId += 1;
  const id = ackId;
  raw.send(`42${id}["${name}",${payload}]`);
  const answer = await waitFor('an acknowledgement or the end', () => {
    const found = raw.frames.find((frame) => frame.startsWith(`43${id}[`));
    return found ?? (raw.closeCode === undefined ? undefined : 'closed');
  });
  return answer === 'closed' ? disconnectOf(raw) : (JSON.parse(answer.slice(2 + String(id).length)) as unknown[])[0];
}

/** Code of the disconnect that was announced before the connection closed. */
function disconnectOf(raw: RawSocket): { readonly code: unknown; readonly reason: unknown } {
  const frame = raw.frames.find((text) => text.startsWith('42["control",{"type":"disconnect"'));
  const [, control] = frame === undefined ? [] : (JSON.parse(frame.slice(2)) as [string, { code?: unknown; reason?: unknown }]);
  return { code: control?.code, reason: control?.reason };
}

const refusedWith = (answer: unknown): string => {
  const result = refusalSchema.safeParse(answer);
  return result.success ? result.data.code : JSON.stringify(answer);
};

describe('an event in order', () => {
  it.each(schemas)('%s is accepted, so that the next tests refuse for the right reason', async (name, schema) => {
    const payload = sampleOf(schema, arena.names);
    expect(schema.safeParse(payload).success).toBe(true);
    if (!(name in ackSchemas)) return;
    using raw = await openRawSession(url(), arena.alice.token, `sample-${name}`);
    expect(await ask(raw, name, toJsonText(payload))).toMatchObject({ ok: true });
  });
});

describe('an event with one wrong value', () => {
  it.each(schemas)('%s is refused', async (name, schema) => {
    // A frame over its bound ends the connection: that is tested below.
    const cases = hostileCases(schema, arena.names).filter(({ value }) => toJsonText(value).length < 15_000);
    expect(cases.length).toBeGreaterThan(20);
    await arena.unharmed(async () => {
      const found = await complaints(
        cases,
        ({ what }) => what,
        async ({ value }) => {
          using raw = await openRawSession(url(), arena.alice.token, `d-${randomUUID()}`);
          const answer = await ask(raw, name, toJsonText(value));
          if (raw.frames.some((frame) => frame.includes(canary))) throw new Error('the server sent back what it got');
          // What is no JSON that the protocol has is no packet at all: the connection ends.
          const ended = (answer as { code?: unknown }).code === 3502;
          if (!ended && !['invalid_request', 'token_invalid'].includes(refusedWith(answer))) throw new Error(JSON.stringify(answer));
        },
      );
      expect(found).toEqual([]);
    });
  });

  it.each(schemas)('%s without an acknowledgement, or with too many arguments, is an end or a refusal', async (name) => {
    await arena.unharmed(async () => {
      using raw = await openRawSession(url(), arena.alice.token, `noack-${name}`);
      raw.send(`42["${name}",{"no":"such field"}]`);
      await raw.closed();
      expect(disconnectOf(raw)).toEqual({ code: 3502, reason: 'protocol_error' });
      using second = await openRawSession(url(), arena.alice.token, `args-${name}`);
      expect(refusedWith(await ask(second, name, '{},{}'))).toBe('invalid_request');
      expect(refusedWith(await ask(second, name, 'null'))).toBe('invalid_request');
    });
  });
});

describe('a handshake with one wrong value', () => {
  it('is refused, and the connection closed within a second', async () => {
    const cases = hostileCases(handshakeAuthSchema, arena.names).filter(({ value }) => toJsonText(value).length < 15_000);
    expect(cases.length).toBeGreaterThan(20);
    await arena.unharmed(async () => {
      const found = await complaints(
        cases,
        ({ what }) => what,
        async ({ value }) => {
          await fasterThan(1_000, async () => {
            using raw = await openRaw(url());
            raw.send(`40${toJsonText(value)}`);
            const refusal = JSON.parse((await raw.frame(/^44/)).slice(2)) as { data?: { code?: string; retryable?: boolean } };
            const since = performance.now();
            await raw.closed();
            if (!['invalid_request', 'token_invalid'].includes(refusal.data?.code ?? '') || refusal.data?.retryable !== false) {
              throw new Error(JSON.stringify(refusal));
            }
            return performance.now() - since;
          });
        },
      );
      expect(found).toEqual([]);
    });
  });
});

describe('a frame that is none', () => {
  const frames: Record<string, string | Uint8Array> = {
    'an unknown engine packet': '9',
    nothing: '',
    'a word': canary,
    'a ping of the client': '2',
    'a probe': '2probe',
    'an upgrade': '5',
    'an open': '0{}',
    'a second CONNECT': '40{"token":"x","deviceId":"d"}',
    'a CONNECT to a namespace': '40/admin,{}',
    'an event in a namespace': '42/admin,["watch",{}]',
    'an event that is no list': '42{"watch":1}',
    'an event without a name': '42[]',
    'an event whose name is a number': '42[7,{}]',
    'an event whose name is a list': '42[["watch"],{}]',
    'an event that is no JSON': '42["watch",',
    'an event of the emitter': '42["disconnecting",{}]',
    'an error event': '42["error",{}]',
    'an event newListener': '421["newListener",{}]',
    'an event connect': '421["connect",{}]',
    'an ack nobody asked for': '430[{}]',
    'a CONNECT_ERROR': '44{"message":"x"}',
    'a binary event with a placeholder': '451-["watch",{"_placeholder":true,"num":0}]',
    'a binary event with thousands of placeholders': `459999-["watch",${'{"_placeholder":true,"num":0},'.repeat(100)}0]`,
    'a binary ack': '461-1[{"_placeholder":true,"num":0}]',
    'a binary event without a count': '45["watch"]',
    'an unknown packet type': '47["watch"]',
    'a huge ack id': `42${'9'.repeat(40)}["watch",{}]`,
    'lists without end': `42["watch",${'['.repeat(7_000)}]`,
    'deep JSON': `421["watch",${nested(5_000).text}]`,
    'a binary frame': Uint8Array.from([0x34, 0x32, 0x5b, 0x5d]),
    'an empty binary frame': Uint8Array.from([]),
    'base64 as the polling transport has it': 'bNDI=',
    'two packets as the polling transport has them': '42["watch"]\u001e42["watch"]',
  };

  it('ends the connection with 3502', async () => {
    await arena.unharmed(async () => {
      const found = await complaints(
        Object.entries(frames),
        ([what]) => what,
        async ([, frame]) => {
          using raw = await openRawSession(url(), arena.alice.token, `f-${randomUUID()}`);
          raw.send(frame);
          // Behind it in the same pipe: whoever is still there answers.
          raw.send('42999["presence.set",{"status":"online"}]');
          await raw.closed();
          expect(disconnectOf(raw)).toEqual({ code: 3502, reason: 'protocol_error' });
          if (raw.frames.some((text) => text.startsWith('43999'))) throw new Error('it was answered after the end');
        },
      );
      expect(found).toEqual([]);
    });
  });

  it('before CONNECT ends the connection with a refusal', async () => {
    // An engine packet that may come at any time is none of these.
    const early = Object.entries(frames).filter(([what]) => !what.includes('second CONNECT'));
    await arena.unharmed(async () => {
      const found = await complaints(
        early,
        ([what]) => what,
        async ([, frame]) => {
          using raw = await openRaw(url());
          raw.send(frame);
          await raw.closed();
          const refusal = raw.frames.find((text) => text.startsWith('44'));
          expect(JSON.parse(refusal?.slice(2) ?? 'null')).toMatchObject({ data: { code: 'invalid_request', retryable: false } });
        },
      );
      expect(found).toEqual([]);
    });
  });

  it('over the bound, or no WebSocket at all, is cut off with the codes of WebSocket', async () => {
    await arena.unharmed(async () => {
      using big = await openRawSession(url(), arena.alice.token, 'big');
      big.send(`421["watch","${'x'.repeat(defaultLimits.socketFrameBytes)}"]`);
      expect(await big.closed()).toBe(1009);
      using early = await openRaw(url());
      early.send(`40{"token":"${'x'.repeat(defaultLimits.socketFrameBytes)}","deviceId":"d"}`);
      expect(await early.closed()).toBe(1009);
      using broken = await openRawSession(url(), arena.alice.token, 'utf8');
      // A text frame whose bytes are no UTF-8.
      broken.socket.send(Buffer.from([0x34, 0x32, 0xff, 0xfe]), { binary: false });
      expect(await broken.closed()).toBe(1007);
    });
  });
});

describe('an upgrade that is not wanted', () => {
  it('is refused over HTTP with its code', async () => {
    const cases: [Parameters<typeof refusedUpgrade>[1], number, string][] = [
      [{ headers: { origin: 'https://evil.example' } }, 403, 'origin_forbidden'],
      [{ headers: { origin: 'null' } }, 403, 'origin_forbidden'],
      [{ headers: { origin: 'file://' } }, 403, 'origin_forbidden'],
      [{ headers: { origin: `${url()}.evil.example` } }, 403, 'origin_forbidden'],
      [{ query: 'EIO=4&transport=polling' }, 400, 'invalid_request'],
      [{ query: 'EIO=4&transport=websocket&sid=abc' }, 400, 'invalid_request'],
      [{ query: 'EIO=99&transport=websocket' }, 400, 'invalid_request'],
      [{ query: '' }, 400, 'invalid_request'],
      [{ query: 'EIO=4&transport=websocket&hb=__proto__' }, 400, 'invalid_request'],
    ];
    await arena.unharmed(async () => {
      for (const [options, status, code] of cases) {
        expect(await refusedUpgrade(url(), options), JSON.stringify(options)).toMatchObject({ status, body: { code } });
      }
    });
  });
});

describe('thousands of joins', () => {
  it('are refused beyond the bound, and the session goes on', async () => {
    await arena.unharmed(async () => {
      const device = await arena.world.device(arena.alice, { deviceId: 'joiner' });
      const answers = await Promise.all(
        range(1, 60).map(() => device.ask('watch', { conversationIds: range(1, 100).map(() => randomUUID()) })),
      );
      const refused = answers.flatMap((answer) => Object.values(answer.refused));
      expect(refused).toHaveLength(6_000);
      expect(new Set(refused)).toEqual(new Set(['not_found']));
      expect(answers.every(({ heads }) => Object.keys(heads).length === 0)).toBe(true);
      for (const _ of range(1, 20)) await device.ask('presence.watch', { userIds: range(1, 100).map((n) => `nobody-${n}`) });
      expect((await device.ask('watch', { conversationIds: [arena.names.conversationId] })).heads).toHaveProperty(
        arena.names.conversationId,
      );
    });
  });
});

describe('floods', () => {
  const limited = useWorld({
    env: { LIMIT_SOCKET_EVENTS_PER_10_SECONDS: '20', LIMIT_TYPING_PER_10_SECONDS: '5', LIMIT_HANDSHAKES_PER_SECOND: '1000' },
  });

  it.each(schemas)('of %s are refused and then cut off with 3003', async (name, schema) => {
    const [ann] = await limited.people('ann');
    const { id } = await limited.create(ann);
    using raw = await openRawSession(limited.system.url, ann.token);
    const payload = toJsonText(sampleOf(schema, { conversationId: id, userId: ann.id, token: ann.token }));
    const acked = name in ackSchemas;
    for (const n of range(1, 200)) raw.send(`42${acked ? n : ''}["${name}",${payload}]`);
    await raw.closed();
    expect(disconnectOf(raw)).toEqual({ code: 3003, reason: 'too_many_events' });
    const refusals = raw.frames.filter((frame) => frame.startsWith('43') && frame.includes('"rate_limited"'));
    const successes = raw.frames.filter((frame) => frame.startsWith('43') && frame.includes('"ok":true'));
    if (acked) expect(successes.length).toBeLessThanOrEqual(20);
    for (const frame of refusals) expect(JSON.parse(frame.slice(frame.indexOf('[')))).toMatchObject([{ ok: false, retryable: true }]);
    await limited.send(ann, id);
  });

  it('of garbage and of pongs are cut off, too', async () => {
    const [ann] = await limited.people('ann');
    using pongs = await openRawSession(limited.system.url, ann.token);
    for (const _ of range(1, 300)) pongs.send('3');
    await pongs.closed();
    expect(disconnectOf(pongs)).toEqual({ code: 3003, reason: 'too_many_events' });
    using early = await openRaw(limited.system.url);
    for (const _ of range(1, 300)) early.send('3');
    await early.closed();
    const { id } = await limited.create(ann);
    await limited.send(ann, id);
  });
});

describe('the log', () => {
  it('holds nothing of what was sent and no token', async () => {
    // The system speaks when it is spoken to: a request leaves a line at this level.
    await arena.world.entries(arena.alice, arena.names.conversationId);
    const text = arena.log();
    expect(text.length).toBeGreaterThan(500);
    for (const secret of [canary, arena.alice.token]) expect(text).not.toContain(secret);
    expect(text).not.toContain('"level":"error"');
  });
});
