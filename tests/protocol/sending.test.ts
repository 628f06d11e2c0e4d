import { describe, expect, it } from 'vitest';
import { sent } from './support/http.ts';
import { type Person, range, seqs, useWorld } from './support/world.ts';

const world = useWorld();

const send = (by: Person, conversationId: string, clientMsgId: unknown, body: unknown, more: object = {}) =>
  world.http.call('sendMessage', { token: by.token, params: { conversationId }, body: { clientMsgId, body, ...more } });

describe('a send', () => {
  it('answers 201 with seq, time and asSent once the entry can be read by everybody', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const answer = (await send(ann, id, 'a1', { text: 'hello' })).ok(201);
    expect(answer).toMatchObject({ conversationId: id, seq: 2, asSent: true });
    expect((await world.entries(bob, id, { after: 1, min: 2 })).entries).toEqual([
      { seq: 2, type: 'message', senderId: ann.id, createdAt: answer.createdAt, clientMsgId: 'a1', body: { text: 'hello' } },
    ]);
  });

  it('takes any JSON object as body, also an empty one, and type message or none', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    (await send(ann, id, 'a', {})).ok(201);
    (await send(ann, id, 'b', { anything: ['goes'] }, { type: 'message' })).ok(201);
    (await send(ann, id, 'c', {}, { type: null })).ok(201);
    for (const type of ['custom.', 'conversation.created', 'member.joined', ''])
      (await send(ann, id, 'd', {}, { type })).refused('invalid_request');
    expect((await world.entries(ann, id)).head).toBe(4);
  });

  it('may be 16 KiB in canonical form and not a byte more', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const frame = Buffer.byteLength('{"text":""}');
    (await send(ann, id, 'fits', { text: 'x'.repeat(16 * 1024 - frame) })).ok(201);
    expect((await send(ann, id, 'bigger', { text: 'x'.repeat(16 * 1024 - frame + 1) })).refused('too_large').detail).toContain(
      'messageBodyBytes',
    );
    // Two bytes a letter: the bound is in bytes.
    (await send(ann, id, 'wide', { text: 'ä'.repeat(8 * 1024) })).refused('too_large');
    expect((await world.entries(ann, id)).head).toBe(2);
  });

  it.each([
    ['no clientMsgId', { body: {} }],
    ['an empty one', { clientMsgId: '', body: {} }],
    ['one of 65 characters', { clientMsgId: 'x'.repeat(65), body: {} }],
    ['one that is a number', { clientMsgId: 7, body: {} }],
    ['no body', { clientMsgId: 'x' }],
    ['a body of null', { clientMsgId: 'x', body: null }],
    ['a body that is text', { clientMsgId: 'x', body: 'hello' }],
    ['a body that is a list', { clientMsgId: 'x', body: [1] }],
  ])('is refused with %s', async (_, body) => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    (await world.http.call('sendMessage', { token: ann.token, params: { conversationId: id }, body })).refused('invalid_request');
  });
});

describe('a clientMsgId', () => {
  it('makes the send idempotent: the same again is 200 with the first answer and writes nothing', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const first = (await send(ann, id, 'once', { text: 'x', n: 1 })).ok(201);
    expect((await send(ann, id, 'once', { text: 'x', n: 1 })).ok(200)).toEqual(first);
    await world.send(ann, id);
    expect((await send(ann, id, 'once', { text: 'x', n: 1 })).ok(200)).toEqual(first);
    expect((await world.entries(ann, id)).head).toBe(3);
  });

  it('compares content as JSON: key order, white space, escapes and spelling of numbers do not matter', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const raw = (text: string) =>
      world.http.call('sendMessage', {
        token: ann.token,
        params: { conversationId: id },
        rawBody: text,
        headers: { 'content-type': 'application/json' },
      });
    (await raw('{"clientMsgId":"c","body":{"a":1,"b":{"x":"é","y":[10]}}}')).ok(201);
    (await raw(' { "body" : { "b":{"y":[1e1] , "x":"\\u00e9"}, "a":1.0 }, "clientMsgId":"c" } ')).ok(200);
    (await raw('{"clientMsgId":"c","body":{"a":1,"b":{"x":"é","y":[10,10]}}}')).refused('client_msg_id_reused');
    (await raw('{"clientMsgId":"c","body":{"a":"1","b":{"x":"é","y":[10]}}}')).refused('client_msg_id_reused');
  });

  it('is refused for other content, and belongs to its sender and conversation alone', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { members: [bob] });
    const other = await world.create(ann);
    (await send(ann, id, 'm', { text: 'one' })).ok(201);
    (await send(ann, id, 'm', { text: 'two' })).refused('client_msg_id_reused');
    (await send(bob, id, 'm', { text: 'two' })).ok(201);
    (await send(ann, other.id, 'm', { text: 'two' })).ok(201);
    expect((await world.entries(ann, id, { after: 1 })).entries.map(({ body }) => body)).toEqual([{ text: 'one' }, { text: 'two' }]);
  });

  it('may be any storable text of 64 characters', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    for (const clientMsgId of ['x'.repeat(64), ' ', 'grüß/👋?#%', "' or 1=1 --", '__proto__']) {
      (await send(ann, id, clientMsgId, {})).ok(201);
      (await send(ann, id, clientMsgId, {})).ok(200);
    }
    expect((await world.entries(ann, id, { after: 1 })).entries.map((entry) => entry.clientMsgId)).toContain('grüß/👋?#%');
  });

  it('of an earlier success is answered even where the sender may no longer send', async () => {
    const [ann, bob] = await world.people('ann', 'bob');
    const { id } = await world.create(ann, { type: 'channel', members: [bob] });
    const role = (value: string) =>
      world.http.call('putMember', { token: ann.token, params: { conversationId: id, userId: bob.id }, body: { role: value } });
    (await role('moderator')).ok();
    const first = (await send(bob, id, 'm', { text: 'x' })).ok(201);
    (await role('member')).ok();
    (await send(bob, id, 'new', { text: 'x' })).refused('forbidden');
    expect((await send(bob, id, 'm', { text: 'x' })).ok(200)).toEqual(first);
  });

  it('gives one entry when many send it at once', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const answers = await Promise.all(range(1, 50).map(() => send(ann, id, 'once', { text: 'x' })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(new Set(answers.map((answer) => sent(answer).seq))).toEqual(new Set([2]));
    expect(seqs((await world.entries(ann, id, { after: 0 })).entries)).toEqual([1, 2]);
  });
});
