import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { next, Stage } from './fixtures/client.fixture.ts';
import { ManualClock } from './fixtures/clock.fixture.ts';
import { serverTime, tokenOf } from './fixtures/server.fixture.ts';
import { MemoryStorage } from './storage.ts';

let stage: Stage;

beforeEach(async () => {
  stage = await Stage.open();
});

afterEach(() => stage[Symbol.asyncDispose]());

describe('what a conversation looks like', () => {
  it('follows acting entries: they come, what they changed is told, and the view shows it', async () => {
    const { server } = stage;
    server.append('c1', 2);
    const client = stage.client();
    const connection = await stage.connect(client);
    const changed = next(client, 'changed');
    const view = next(client, 'view');
    const head = server.write('c1', { type: 'message.edited', target: 1, body: { text: 'new' } });
    connection.notify(['c/c1', head]);
    expect((await changed).entries).toMatchObject([{ seq: 1, body: { text: 'new' }, stateSeq: 3 }]);
    expect((await view).view).toBe(client.view('c1'));
    expect(client.entries('c1')[0]).toMatchObject({ seq: 1, body: { text: 'new' } });
    expect(client.entries('c1')).toHaveLength(3);
  });

  it('gives and takes mentions as its messages change', async () => {
    const { server } = stage;
    server.append('c1', 2);
    const client = stage.client();
    const connection = await stage.connect(client);
    const act = async (entry: Parameters<typeof server.write>[1]) => {
      const view = next(client, 'view');
      connection.notify(['c/c1', server.write('c1', entry)]);
      await view;
      return client.unread('c1')?.mentions;
    };
    expect(client.unread('c1')?.mentions).toBe(0);
    expect(await act({ body: { text: 'to you' }, mentions: ['alice'] })).toBe(1);
    expect(await act({ type: 'message.edited', target: 3, body: { text: 'to nobody' } })).toBe(0);
    expect(await act({ type: 'message.edited', target: 3, body: { text: 'to you again' }, mentions: ['alice'] })).toBe(1);
    expect(await act({ type: 'message.redacted', target: 3 })).toBe(0);
  });

  it('is stored as it is: what was redacted is nowhere, and a restart shows the same', async () => {
    const { server } = stage;
    server.append('c1', 3);
    server.mine = { 2: ['👍'] };
    const storage = new MemoryStorage();
    const first = stage.client({ storage });
    const connection = await stage.connect(first);
    server.mine = {};
    const view = next(first, 'view');
    connection.notify(['c/c1', server.write('c1', { type: 'message.redacted', target: 1 })]);
    await view;
    expect(JSON.stringify(storage.entries('c/c1'))).not.toContain('text 1"');
    await first.close();
    const second = stage.client({ storage });
    await stage.connect(second);
    expect(second.view('c1')).toEqual(first.view('c1'));
    expect(second.view('c1')?.mine).toEqual({ 2: ['👍'] });
  });

  it('loses what expires at its time by the server, whatever this device takes for the time', async () => {
    const { server } = stage;
    server.write('c1', { body: { text: 'soon gone' }, expiresAt: new Date(Date.parse(serverTime) + 60_000).toISOString() });
    const clock = new ManualClock();
    const client = stage.client({ clock });
    await stage.connect(client);
    clock.advance(59_999);
    expect(client.entries('c1')[0]?.body).toEqual({ text: 'soon gone' });
    const changed = next(client, 'changed');
    clock.advance(1);
    expect((await changed).entries).toMatchObject([{ seq: 1, redacted: true, body: null }]);
  });

  it('ends where the visible history begins', async () => {
    const { server } = stage;
    server.append('c1', 5);
    const storage = new MemoryStorage();
    const client = stage.client({ storage });
    const connection = await stage.connect(client);
    server.oldestSeq = 4;
    const current = next(client, 'current');
    connection.notify(['c/c1', server.append('c1')]);
    await current;
    expect(client.entries('c1').map(({ seq }) => seq)).toEqual([4, 5, 6]);
    expect(storage.entries('c/c1').map(({ seq }) => seq)).toEqual([4, 5, 6]);
  });

  it('holds no more than it may', async () => {
    const { server } = stage;
    server.append('c1', 30);
    const client = stage.client({ tuning: { viewEntries: 10 } });
    await stage.connect(client);
    expect(client.entries('c1').map(({ seq }) => seq)).toEqual(Array.from({ length: 10 }, (_, i) => i + 21));
    await client.loadBefore('c1', 5);
    expect(client.entries('c1')[0]?.seq).toBe(16);
  });
});

describe('the own feed', () => {
  it('tells of settings, blocks, notices and of reading elsewhere, and outlasts a restart', async () => {
    const { server } = stage;
    server.append('c1', 2);
    const storage = new MemoryStorage();
    const client = stage.client({ storage });
    const connection = await stage.connect(client);
    const unread = next(client, 'unread', ({ unread: count }) => count === 1);
    connection.notify(['c/c1', server.append('c1')]);
    expect(await unread).toEqual({ conversationId: 'c1', readSeq: 0, unread: 1, mentions: 0 });
    const heard: unknown[] = [];
    for (const event of ['read', 'preferences', 'block', 'notice', 'unread'] as const) client.on(event, (payload) => heard.push(payload));
    server.feed = [
      { subject: 'read/c1', version: 1, state: { readSeq: 3 } },
      { subject: 'pref/c1', version: 2, state: { pinned: true } },
      { subject: 'block/mallory', version: 3, state: { blocked: true } },
      { subject: 'notice/n1', version: 4, state: { body: { text: 'hi' } } },
    ];
    const current = next(client, 'current');
    connection.notify(['u/alice', 4]);
    await current;
    expect(heard).toEqual([
      { conversationId: 'c1', readSeq: 3, unread: 0, mentions: 0 },
      { conversationId: 'c1', readSeq: 3 },
      { conversationId: 'c1', preferences: { pinned: true } },
      { userId: 'mallory', blocked: true },
      { noticeId: 'n1', body: { text: 'hi' } },
    ]);
    const entry = next(client, 'entry');
    connection.notify(['c/c1', server.append('c1', 1, 'mallory')]);
    expect((await entry).blocked).toBe(true);
    await client.close();
    const again = stage.client({ storage });
    await stage.connect(again);
    expect(again.isBlocked('mallory')).toBe(true);
    expect(again.preferences('c1')).toEqual({ pinned: true });
    expect([...again.notices().keys()]).toEqual(['n1']);
  });
});

describe('positions', () => {
  const delivered = () => stage.server.seen.filter(({ path }) => path.endsWith('/delivered')).map(({ body }) => body);

  it('of delivery follow what was applied, at most one a second and conversation', async () => {
    const { server } = stage;
    const clock = new ManualClock();
    const client = stage.client({ clock });
    const connection = await stage.connect(client);
    for (let i = 0; i < 5; i++) {
      const view = next(client, 'view');
      connection.notify(['c/c1', server.append('c1')]);
      await view;
    }
    await vi.waitFor(() => expect(delivered()).toEqual([{ seq: 1 }]), { timeout: 10_000 });
    // The pause begins with the answer, which the server has given before this.
    await vi.waitFor(
      () => {
        clock.advance(1_000);
        expect(delivered()).toEqual([{ seq: 1 }, { seq: 5 }]);
      },
      { timeout: 10_000 },
    );
  });

  it('of delivery are not told when switched off, nor for what the user wrote or did not come as a message', async () => {
    const { server } = stage;
    const off = stage.client({ delivered: false });
    const first = await stage.connect(off);
    const view = next(off, 'view');
    first.notify(['c/c1', server.append('c1')]);
    await view;
    expect(delivered()).toEqual([]);
    await off.close();
    const own = stage.client();
    const second = await stage.connect(own);
    const current = next(own, 'current');
    second.notify(['c/c2', server.append('c2', 1, 'alice')]);
    await current;
    await own.markRead('c2', 1);
    expect(server.seen.filter(({ path }) => path.endsWith('/c2/delivered'))).toEqual([]);
  });
});

describe('what is not kept', () => {
  it('typing stops by itself', async () => {
    const clock = new ManualClock();
    const client = stage.client({ clock });
    const connection = await stage.connect(client);
    client.typing('c1', true);
    clock.advance(4_000);
    client.typing('c1', true);
    clock.advance(4_999);
    expect(connection.typed).toHaveLength(2);
    clock.advance(1);
    expect(connection.typed.at(-1)).toEqual({ conversationId: 'c1', active: false });
    clock.advance(60_000);
    expect(connection.typed).toHaveLength(3);
  });

  it('events and receipts pass through', async () => {
    const client = stage.client();
    const connection = await stage.connect(client);
    client.sendEvent('c1', 'wave', { hand: 'left' });
    expect(connection.typed).toEqual([{ conversationId: 'c1', name: 'wave', payload: { hand: 'left' } }]);
    const event = next(client, 'event');
    const receipt = next(client, 'receipt');
    connection.handlers.event({ conversationId: 'c1', userId: 'bob', name: 'wave', payload: {} });
    connection.handlers.receipt({ conversationId: 'c1', userId: 'bob', readSeq: 4 });
    expect(await event).toMatchObject({ name: 'wave' });
    expect(await receipt).toMatchObject({ readSeq: 4 });
  });
});

describe("the app's broadcasts", () => {
  it('start from their end and then come once and in order', async () => {
    const { server } = stage;
    server.app = [{ seq: 1, text: 'old' }];
    const client = stage.client({ token: tokenOf('alice', 1, 'shop') });
    const connection = await stage.connect(client);
    const heard: unknown[] = [];
    client.on('app', (entry) => heard.push(entry));
    server.app.push({ seq: 2, text: 'new' }, { seq: 3, text: 'newer' });
    const current = next(client, 'current');
    connection.notify(['a/shop', 3]);
    connection.notify(['a/shop', 2]);
    await current;
    expect(heard).toEqual(server.app.slice(1));
  });
});

describe('calls', () => {
  it('go to their routes, and what they append is pulled', async () => {
    const { server } = stage;
    server.append('c1', 2);
    const client = stage.client({ delivered: false });
    await stage.connect(client);
    server.seen.length = 0;
    await client.edit('c1', 1, { text: 'x' }, { clientMsgId: 'e1', mentions: ['bob'] });
    await client.redact('c1', 1);
    await client.react('c1', 1, '👍');
    await client.unreact('c1', 1, '👍');
    await client.pin('c1', 1);
    await client.unpin('c1', 1);
    await client.updateConversation('c1', { title: 'T' });
    await client.putMember('c1', 'bob', 'moderator');
    await client.removeMember('c1', 'bob');
    await client.leave('c1');
    await client.transferOwnership('c1', 'bob');
    await client.mute('c1', 'bob', 60);
    await client.unmute('c1', 'bob');
    await client.ban('c1', 'bob');
    await client.unban('c1', 'bob');
    const lines = server.seen.map(({ method, path, body }) => `${method} ${path}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`);
    expect(lines.map((line) => line.replace('/v1/conversations/c1', ''))).toEqual([
      'PATCH /messages/1 {"clientMsgId":"e1","mentions":["bob"],"body":{"text":"x"}}',
      'DELETE /messages/1',
      `PUT /messages/1/reactions/${encodeURIComponent('👍')}`,
      `DELETE /messages/1/reactions/${encodeURIComponent('👍')}`,
      'PUT /messages/1/pin',
      'DELETE /messages/1/pin',
      'PATCH  {"title":"T"}',
      'PUT /members/bob {"role":"moderator"}',
      'DELETE /members/bob',
      'DELETE /members/me',
      'PUT /owner {"userId":"bob"}',
      'PUT /members/bob/mute {"seconds":60}',
      'DELETE /members/bob/mute',
      'PUT /bans/bob',
      'DELETE /bans/bob',
    ]);
    server.fault = ({ method }) => {
      if (method !== 'PUT') return undefined;
      const seq = server.write('c1', { type: 'message.pinned', target: 1 });
      return { status: 200, body: { seq, changed: true } };
    };
    const view = next(client, 'view');
    await client.pin('c1', 1);
    expect((await view).view.entries[0]).toMatchObject({ seq: 1, pinned: true });
  });

  it('a message with more than its body is pulled, not guessed', async () => {
    const { server } = stage;
    server.append('c1', 2);
    const client = stage.client({ delivered: false });
    await stage.connect(client);
    server.seen.length = 0;
    const current = next(client, 'current');
    await client.send('c1', { text: 'x' }, { clientMsgId: 'm1', replyTo: 1, mentions: ['bob'], expiresIn: 5 });
    await current;
    expect(server.seen[0]?.body).toEqual({ clientMsgId: 'm1', body: { text: 'x' }, replyTo: 1, mentions: ['bob'], expiresIn: 5 });
    expect(server.pulls()).toEqual(['GET c1 after=2 min=3']);
  });
});
