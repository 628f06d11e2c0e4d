import { type Logger, toNudgeError } from '@nudge/server-kit';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import type { ServerOptions } from 'socket.io';
import { channelPrefix, type RoomWire } from './room-wire.ts';

type AdapterConstructor = NonNullable<ServerOptions['adapter']>;
/** What socket.io makes of the constructor for its one namespace. */
type Adapter = ReturnType<ReturnType<typeof createShardedAdapter>>;

/**
 * Rooms that reach over all gateways: a channel per room, subscribed while a socket here is in it. Of the adapter only broadcasts are used;
 * its requests to all servers, which end with a timeout when one is dead, are not.
 */
export function roomAdapter(wire: RoomWire, log: Logger): AdapterConstructor {
  const create = createShardedAdapter(wire, wire, { channelPrefix, subscriptionMode: 'dynamic' });
  // A function, because socket.io calls it with `new`.
  function RoomAdapter(nsp: Parameters<typeof create>[0]): Adapter {
    const adapter = create(nsp);
    const broadcast: Adapter['broadcast'] = adapter.broadcast.bind(adapter);
    // socket.io drops the promise.
    adapter.broadcast = async (packet, options) => {
      try {
        await broadcast(packet, options);
      } catch (error) {
        log.error({ err: error, code: toNudgeError(error).code }, 'an ephemeral event could not be delivered');
      }
    };
    return adapter;
  }
  return RoomAdapter as unknown as AdapterConstructor;
}
