import { createLogger } from '@nudge/server-kit';
import { createRoutes, defaultLimits, type Route, type RouteName } from '@nudge/types';
import { beforeAll, expect } from 'vitest';
import { sampleParams } from '../../protocol/support/http.ts';
import { type Person, useWorld, type World } from '../../protocol/support/world.ts';
import type { Names } from './schema-cases.ts';

/** A system that is attacked: how it was before, what it says, whether it still works. */
export interface Arena {
  readonly world: World;
  /** A user in order, and what is its own. */
  readonly alice: Person;
  readonly bob: Person;
  readonly names: Names;
  /** A value for every parameter of a path; those of the conversation name what is there. */
  readonly params: Readonly<Record<string, string>>;
  /** All that was logged so far, as text. */
  readonly log: () => string;
  /** Runs an attack and then checks that nothing of it was stored and that the process still serves. */
  unharmed(attack: () => Promise<void>): Promise<void>;
  /** The credential that a route takes. */
  credential(route: Route): string | undefined;
}

/** Rates out of the way, where they are not what is tested. */
const unlimited = {
  LIMIT_WRITES_PER_10_SECONDS: '1000000',
  LIMIT_READS_PER_10_SECONDS: '1000000',
  LIMIT_MARKS_PER_10_SECONDS: '1000000',
  LIMIT_ADMIN_PER_10_SECONDS: '1000000',
  LIMIT_SOCKET_EVENTS_PER_10_SECONDS: '1000000',
  LIMIT_TYPING_PER_10_SECONDS: '1000000',
  LIMIT_HANDSHAKES_PER_SECOND: '100000',
  LIMIT_HANDSHAKES_PER_ADDRESS_PER_10_SECONDS: '1000000',
  LIMIT_SESSIONS_PER_USER: '1000',
};

/** Every route by name. */
export const routes = Object.entries(createRoutes(defaultLimits)) as [RouteName, Route][];

/** Starts a system whose whole log is kept, with two users and a conversation of theirs. */
export function useArena(env: Readonly<Record<string, string>> = {}): Arena {
  const lines: string[] = [];
  const log = createLogger({ name: 'hostile', level: 'trace', destination: { write: (line: string) => void lines.push(line) } });
  const world = useWorld({ env: { ...unlimited, ...env }, log });
  let people: readonly [Person, Person] | undefined;
  let conversationId = '';
  let controlId = '';
  const person = (index: 0 | 1): Person => {
    if (people === undefined) throw new Error('the arena has not been opened');
    return people[index];
  };
  beforeAll(async () => {
    const [alice, bob] = await world.people('alice', 'bob');
    people = [alice, bob];
    conversationId = (await world.create(alice, { members: [bob] })).id;
    controlId = (await world.create(bob)).id;
    await world.send(alice, conversationId, 'before');
  });
  return {
    world,
    get alice() {
      return person(0);
    },
    get bob() {
      return person(1);
    },
    get names() {
      return { conversationId, userId: person(1).id, token: person(0).token };
    },
    get params() {
      return { ...sampleParams, conversationId, userId: person(1).id };
    },
    log: () => lines.join(''),
    async unharmed(attack) {
      const before = await fingerprint(world);
      await attack();
      expect(await fingerprint(world), 'something was stored').toEqual(before);
      const seq = await world.send(person(1), controlId, 'still here');
      expect((await world.entries(person(1), controlId, { after: seq - 1 })).entries).toHaveLength(1);
    },
    credential({ auth }) {
      if (auth === 'none') return undefined;
      return auth === 'server' ? world.system.app.serverKey : person(0).token;
    },
  };
}

/** Tables that change by themselves. */
const volatile = new Set(['outbox']);

/** Row counts and contents of every table that only requests change. */
async function fingerprint({ system }: World): Promise<Record<string, unknown>> {
  const tables = await system.database.query<{ name: string }>(
    `select quote_ident(c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by 1`,
  );
  const state: Record<string, unknown> = {};
  for (const { name } of tables) {
    if (volatile.has(name)) continue;
    const [row] = await system.database.query(
      `select count(*)::int as rows, md5(string_agg(t::text, '|' order by t::text)) as content from ${name} t`,
    );
    state[name] = row;
  }
  return state;
}

/** Runs the checks, some at a time; returns what each had to complain of. */
export async function complaints<T>(
  cases: readonly T[],
  describe: (item: T) => string,
  check: (item: T) => Promise<unknown>,
): Promise<string[]> {
  const found: string[] = [];
  const queue = [...cases];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await check(item);
      } catch (error) {
        found.push(`${describe(item)}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return found.toSorted();
}
