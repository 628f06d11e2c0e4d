import { LeanWebSocket } from '../lean/websocket.ts';
import type { Connect } from './participant.ts';

/** A participant of the bare fan-out baseline: the body comes whole over the socket, nothing is stored. */
export const connectBare: Connect = async (place, delivered) => {
  const errors: string[] = [];
  let closing = false;
  const names = place.groups.map(({ index }) => index).join(',');
  const socket = await LeanWebSocket.connect(
    place.port,
    `/?groups=${names}`,
    {
      text: (text) => {
        const { g, id, text: body } = JSON.parse(text) as { g: number; id: string; text: string };
        delivered({ groupIndex: g, id, text: body, seq: undefined });
      },
      closed: (reason) => {
        if (!closing) errors.push(`socket ${reason}`);
      },
    },
    place.from,
  );
  return {
    errors,
    send: (g, id, text) => {
      socket.send(JSON.stringify({ g, id, text }));
      return Promise.resolve();
    },
    close: () => {
      closing = true;
      socket.destroy();
    },
  };
};
