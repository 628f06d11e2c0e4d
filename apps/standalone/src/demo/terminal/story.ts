import { setTimeout as delay } from 'node:timers/promises';
import type { DemoSession } from '../demo-session.ts';
import type { Screen } from './screen.ts';
import { StageDevice } from './stage-device.ts';

/** A pause for the reader, ms. */
const PAUSE_MS = 900;

/** Messages everybody sends at the same time in the last chapter. */
const AT_ONCE = 4;

/** Three devices of two people: they talk, one falls offline and comes back, all talk at once. Resolves true when all saw the same order. */
export async function playStory(session: DemoSession, screen: Screen): Promise<boolean> {
  const { url, conversationId, users } = session;
  const [first, second] = users;
  if (first === undefined || second === undefined) throw new Error('the demo session names fewer than two users');
  const device = (user: { id: string; token: string }, kind: string) =>
    new StageDevice({ name: `${user.id}-${kind}`, url, token: user.token, conversationId, screen });
  const phone = device(first, 'phone');
  const laptop = device(first, 'laptop');
  const other = device(second, 'phone');
  const all = [phone, laptop, other];
  const pause = () => delay(PAUSE_MS);
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
    await Promise.all(all.map((each) => each.has(hello)));
    await pause();

    screen.chapter(`4. ${second.id} is in a tunnel: keys are missed`);
    other.client.disconnect();
    screen.event(other.name, 'socket', 'offline');
    let last = hello;
    for (const text of ['are you there?', 'the train leaves at nine', 'bring the tickets']) last = await laptop.say(text);
    await Promise.all([phone.has(last), laptop.has(last)]);
    await pause();
    screen.remark('back again: no key needs repeating, the cursor knows what is missing');
    await other.client.connect();
    await other.has(last);
    await pause();

    screen.chapter('5. Everybody sends at the same time');
    const sends = all.flatMap((each) => Array.from({ length: AT_ONCE }, (_, index) => each.say(`${index + 1}`)));
    const end = Math.max(...(await Promise.all(sends)));
    await Promise.all(all.map((each) => each.has(end)));
    await pause();

    screen.chapter('6. What each device holds now');
    const histories = all.map((each) => each.client.entries(conversationId).filter(({ seq }) => seq > start));
    const rows = (histories[0] ?? []).map((_, index) =>
      histories.map((history) => {
        const entry = history[index];
        return entry === undefined ? '' : `${entry.seq} ${entry.senderId}: ${String(entry.body?.text ?? entry.type)}`;
      }),
    );
    screen.columns(
      all.map(({ name }) => name),
      rows,
    );
    const orders = new Set(
      histories.map((history) => JSON.stringify(history.map(({ seq, senderId, clientMsgId }) => [seq, senderId, clientMsgId]))),
    );
    const same = orders.size === 1;
    screen.chapter(same ? 'The same order on every device.' : 'THE ORDERS DIFFER.');
    return same;
  } finally {
    await Promise.all(all.map((each) => each.client.close()));
  }
}
