import { createHash } from 'node:crypto';
import type { RedisCommands } from './connection.ts';

/** A Lua script that the server keeps by its hash. All its keys must be in one slot. */
export class Script {
  readonly #lua: string;
  readonly #sha: string;

  constructor(lua: string) {
    this.#lua = lua;
    this.#sha = createHash('sha1').update(lua).digest('hex');
  }

  /** Runs it; a server that does not know it, for it was restarted, gets its text. */
  async run(commands: RedisCommands, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await commands.evalsha(this.#sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return commands.eval(this.#lua, keys.length, ...keys, ...args);
    }
  }
}
