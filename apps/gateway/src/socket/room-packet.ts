import { customEventSchema, presenceSchema, typingSchema } from '@nudge/types';
import { z } from 'zod';

/** What is emitted to rooms. */
const emitted = { typing: typingSchema, presence: presenceSchema, event: customEventSchema };

const broadcast = z.strictObject({
  uid: z.string(),
  nsp: z.literal('/'),
  type: z.literal(3),
  data: z.strictObject({
    packet: z.strictObject({ type: z.literal(2), data: z.tuple([z.enum(['typing', 'presence', 'event']), z.unknown()]) }),
    opts: z.strictObject({
      rooms: z.tuple([z.string()]),
      except: z.array(z.string()),
      flags: z.strictObject({ volatile: z.literal(true) }),
    }),
  }),
});

/**
 * Whether a message of the adapter, as JSON, is an event that a gateway emits to this one room. The adapter obeys whatever it is told, by
 * anyone who can write to Redis: to join sockets to rooms of other apps, to disconnect all of them.
 */
export function isRoomPacket(text: string, room: string): boolean {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return false;
  }
  const read = broadcast.safeParse(message);
  if (!read.success || read.data.data.opts.rooms[0] !== room) return false;
  const [name, payload] = read.data.data.packet.data;
  return emitted[name].safeParse(payload).success;
}
