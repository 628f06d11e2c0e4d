import type { ClientToServerEvents, ServerToClientEvents, SOCKET_PATH } from '@nudge/types';
import { io, type Socket } from 'socket.io-client';
import { NudgeError } from './errors.ts';
import type { Connection, Transport } from './transport.ts';

const PATH: typeof SOCKET_PATH = '/socket.io';

/** socket.io over WebSocket only. Reconnection is off: when and where to come back is decided by the link, not by socket.io. */
export const socketIoTransport: Transport = {
  connect({ url, auth, network }, handlers) {
    const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url, {
      path: PATH,
      transports: ['websocket'],
      query: { hb: network },
      auth: { ...auth },
      reconnection: false,
      forceNew: true,
    });
    let open = true;
    const close = (error: NudgeError) => {
      if (!open) return;
      open = false;
      socket.off();
      socket.disconnect();
      handlers.closed(error);
    };
    socket.on('welcome', handlers.welcome);
    socket.on('notify', handlers.notify);
    socket.on('typing', handlers.typing);
    socket.on('presence', handlers.presence);
    socket.on('receipt', handlers.receipt);
    socket.on('event', handlers.event);
    socket.on('control', handlers.control);
    socket.on('connect_error', (error) => close(refusal(error)));
    socket.on('disconnect', (reason) => close(new NudgeError('disconnected', `the socket was closed: ${reason}`, { retryable: true })));
    const connection: Connection = {
      request(event, payload, timeoutMs) {
        if (!socket.connected) return Promise.reject(new NudgeError('disconnected', 'there is no socket', { retryable: true }));
        const untyped: Pick<Socket, 'timeout'> = socket as unknown as Socket;
        return untyped
          .timeout(timeoutMs)
          .emitWithAck(event, payload)
          .catch((cause: unknown) => {
            throw new NudgeError('timeout', `${event} was not acknowledged within ${timeoutMs} ms`, { retryable: true, cause });
          });
      },
      typing: (payload) => {
        socket.volatile.emit('typing', payload);
      },
      event: (payload) => {
        socket.volatile.emit('event', payload);
      },
      close: () => close(new NudgeError('closed', 'closed on this side', { retryable: true })),
    };
    return connection;
  },
};

/** What a failed handshake says: `err.data` where the gateway refused, nothing where the upgrade failed. */
function refusal(error: Error & { data?: unknown }): NudgeError {
  const { data } = error;
  if (typeof data === 'object' && data !== null) {
    const { code, retryable, retryAfterMs } = data as Record<string, unknown>;
    if (typeof code === 'string' && typeof retryable === 'boolean') {
      return new NudgeError(code as NudgeError['code'], `the gateway refused the connection: ${code}`, {
        retryable,
        retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
      });
    }
  }
  return new NudgeError('network', error.message, { retryable: true, cause: error });
}
