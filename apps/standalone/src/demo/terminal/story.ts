import { setTimeout as delay } from 'node:timers/promises';
import type { ConversationView } from '@nudge/client';
import type { DemoSession } from '../demo-session.ts';
import type { Screen } from './screen.ts';
import { StageDevice } from './stage-device.ts';

/** A pause for the reader, ms. */
const PAUSE_MS = 900;

/** Messages everybody sends at the same time in the last chapter. */
const AT_ONCE = 4;

/**
 * Three devices of two people: they talk, change what they said, one falls offline and comes back, all talk at once. Resolves true when
 * all of them ended with the same conversation.
 */
export async function playStory(session: DemoSession, screen: Screen): Promise<boolean> {
  const { conversationId, users } = session;
  const [first, second] = users;
  if (first === undefined || second === undefined) throw new Error('the demo session names fewer than two users');
  const device = (user: { id: string; token: string }, kind: string) =>
    new StageDevice({ name: `${user.id}-${kind}`, session, token: user.token, screen });
  const phone = device(first, 'phone');
  const laptop = device(first, 'laptop');
  const other = device(second, 'phone');
  const all = [phone, laptop, other];
  const pause = () => delay(PAUSE_MS);
  const everybodyHas = (seq: number) => Promise.all(all.map((each) => each.has(seq)));
  try {
    screen.chapter(`1. Three devices of two people come online`);
    await Promise.all(all.map((each) => each.join()));
    const start = Math.max(...all.map((each) => each.client.cursor(conversationId) ?? 0));
    await pause();

    screen.chapter(`2. ${second.id} types: pushed whole, stored nowhere`);
    let heard = false;
    const stopListening = phone.client.on('typing', () => {
      heard = true;
    });
    const typing = phone.until(() => heard);
    other.client.typing(conversationId, true);
    await typing;
    stopListening();
    await pause();
    other.client.typing(conversationId, false);
    await pause();

    screen.chapter(`3. ${first.id} sends: the others hear a key, then pull the body`);
    const hello = await phone.say(`hello ${second.id}`);
    await everybodyHas(hello);
    await pause();

    screen.chapter(`4. ${second.id} reacts and answers; ${first.id} thinks again`);
    await everybodyHas(await other.act(`reacts to ${hello} with 👍`, (client) => client.react(conversationId, hello, '👍')));
    const answer = await other.say('see you at eight', { replyTo: hello });
    await everybodyHas(answer);
    await everybodyHas(await phone.edit(hello, `good evening ${second.id}`));
    screen.remark('the quotation follows the edit on every device');
    const slip = await laptop.say('oh, wrong window');
    await everybodyHas(await laptop.act(`redacts ${slip}`, (client) => client.redact(conversationId, slip)));
    screen.remark('the body is gone from every device and from the server; its place in the log stays');
    await pause();

    screen.chapter(`5. ${first.id} reads on the phone: the laptop knows`);
    const news = await other.say('bring an umbrella');
    await everybodyHas(news);
    await laptop.until(() => (laptop.client.unread(conversationId)?.unread ?? 0) > 0);
    screen.event(laptop.name, 'entry', `unread: ${laptop.client.unread(conversationId)?.unread}`);
    await phone.client.markRead(conversationId, news);
    screen.event(phone.name, 'send', `has read up to ${news}`);
    await laptop.until(() => laptop.client.unread(conversationId)?.unread === 0);
    screen.event(laptop.name, 'entry', 'read elsewhere: unread 0');
    await pause();

    screen.chapter(`6. ${second.id} is in a tunnel: keys are missed`);
    other.client.disconnect();
    screen.event(other.name, 'socket', 'offline');
    let last = news;
    for (const text of ['are you there?', 'the train leaves at nine', 'bring the tickets']) last = await laptop.say(text);
    last = await phone.edit(last, 'bring both tickets');
    await Promise.all([phone.has(last), laptop.has(last)]);
    await pause();
    screen.remark('back again: no key needs repeating, the cursor knows what is missing');
    await other.client.connect();
    await other.has(last);
    await pause();

    screen.chapter('7. Everybody sends at the same time');
    const sends = all.flatMap((each) => Array.from({ length: AT_ONCE }, (_, index) => each.say(`${index + 1}`)));
    await everybodyHas(Math.max(...(await Promise.all(sends))));
    await pause();

    screen.chapter('8. What each device holds now');
    const views = all.map((each) => each.client.view(conversationId));
    const columns = views.map((view) => lines(view, start));
    screen.columns(
      all.map(({ name }) => name),
      (columns[0] ?? []).map((_, row) => columns.map((column) => column[row] ?? '')),
    );
    const states = new Set(
      views.map((view) =>
        JSON.stringify(
          view?.entries.filter(({ seq }) => seq > start),
          sorted,
        ),
      ),
    );
    const same = states.size === 1 && views.every((view) => view !== undefined);
    screen.chapter(same ? 'The same conversation on every device, entry by entry.' : 'THE DEVICES DIFFER.');
    return same;
  } finally {
    await Promise.all(all.map((each) => each.client.close()));
  }
}

/** The messages after `start`, one line each. */
function lines(view: ConversationView | undefined, start: number): string[] {
  const messages = view?.entries.filter(({ seq, type }) => seq > start && type === 'message') ?? [];
  return messages.map(({ seq, senderId, body, editedAt, redacted, reactions }) => {
    const text = redacted === true ? '(redacted)' : String(body?.text ?? '');
    const marks = (reactions ?? []).map(({ emoji, count }) => ` ${emoji}${count}`).join('');
    return `${seq} ${senderId}: ${text}${editedAt == null ? '' : ' (edited)'}${marks}`;
  });
}

/** For JSON: members in one order, whatever order an entry got them in. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
