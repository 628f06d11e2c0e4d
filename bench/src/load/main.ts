/** A load process: carries out one operation after another for the bench that forked it. */
import { connectBare } from './bare-participant.ts';
import { catchUp } from './catch-up.ts';
import { Chat } from './chat.ts';
import { Device } from './device.ts';
import { closeIdle, openIdle } from './idle.ts';
import { readPages } from './pages.ts';
import type { Answer, OperationName, Operations, Request } from './protocol.ts';
import { sendMany } from './sends.ts';

let chat: Chat | undefined;

const operations: { [Name in OperationName]: (request: Request<Name>) => Promise<Answer<Name>> } = {
  async open({ kind, cast }) {
    chat = await Chat.open(cast, kind === 'nudge' ? Device.connect : connectBare);
    if (kind === 'bare') chat.ignoreOrder();
    return null;
  },
  talk(plan) {
    if (chat === undefined) throw new Error('open comes first');
    return chat.talk(plan);
  },
  async leave() {
    chat?.close();
    chat = undefined;
    closeIdle();
    return null;
  },
  idle: openIdle,
  catchUp,
  pages: readPages,
  sends: sendMany,
};

async function carryOut<Name extends OperationName>(name: Name, request: Parameters<Operations[Name]>[0]): Promise<void> {
  try {
    process.send?.({ answer: await operations[name](request) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

process.on('message', ({ name, request }: { name: OperationName; request: never }) => {
  void carryOut(name, request);
});
process.on('disconnect', () => {
  process.exit();
});
