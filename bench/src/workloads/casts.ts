import type { Cast } from '../load/chat.ts';
import type { BenchUser, NudgeServer } from '../nudge-server.ts';

/** `groups` groups of `size` users each on the server, everybody in exactly one; `absent` are members of each who are never online. */
export async function castGroups(
  server: NudgeServer,
  prefix: string,
  groups: number,
  size: number,
  absent: readonly string[] = [],
): Promise<Cast> {
  const users = await server.users(prefix, groups * size);
  const rooms = Array.from({ length: groups }, (_, index) => users.slice(index * size, (index + 1) * size));
  const ids: string[] = [];
  for (const room of rooms) ids.push(await server.group([...room.map(({ id }) => id), ...absent]));
  return cast(server.port, rooms, ids);
}

/** The same cast for a baseline, which knows no users. */
export function bareCast(port: number, groups: number, size: number): Cast {
  const rooms = Array.from({ length: groups }, (_, group) =>
    Array.from({ length: size }, (_unused, member) => ({ id: `u${group * size + member}`, token: '' })),
  );
  return cast(
    port,
    rooms,
    rooms.map(() => ''),
  );
}

function cast(port: number, rooms: readonly (readonly BenchUser[])[], ids: readonly string[]): Cast {
  const places = rooms.flatMap((room, index) =>
    room.map(({ id, token }) => ({ port, userId: id, token, groups: [{ index, conversationId: ids[index] ?? '' }], from: '127.0.0.1' })),
  );
  let first = 0;
  const groups = rooms.map((room) => {
    const members = room.map((_, offset) => first + offset);
    first += room.length;
    return members;
  });
  return { places, groups };
}
