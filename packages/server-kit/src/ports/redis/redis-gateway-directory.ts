import type { GatewayDescription, GatewayDirectory, GatewayRecord } from '../gateway-directory.ts';
import type { RedisConnection } from './connection.ts';
import { parseJson } from './parse-json.ts';
import { Script } from './script.ts';

/**
 * KEYS: gateways by the end of their time (a sorted set), their descriptions (a hash), both in one slot. ARGV: id, description, ttl ms. By the
 * server's clock, so that the clocks of gateways and APIs need not agree. Both keys go when nobody has renewed for as long.
 */
const putScript = new Script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for i, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[3]) then redis.call('PEXPIRE', key, ARGV[3]) end
end
return 1
`);

/** KEYS as above. ARGV: id. */
const removeScript = new Script(`
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
`);

/** KEYS as above. Drops those whose time is over; answers {end, description, end, description, …}. */
const listScript = new Script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
local answer = {}
local ends = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #ends, 2 do
  local text = redis.call('HGET', KEYS[2], ends[i])
  if text then
    table.insert(answer, ends[i + 1])
    table.insert(answer, text)
  end
end
return answer
`);

/** The gateways of all processes. Some hundred of them in one slot: each renews every few seconds, each API reads about once a second. */
export class RedisGatewayDirectory implements GatewayDirectory {
  readonly #connection: RedisConnection;
  readonly #keys: readonly [string, string];

  constructor(options: { readonly connection: RedisConnection; readonly prefix?: string }) {
    const { connection, prefix = options.connection.prefix } = options;
    this.#connection = connection;
    this.#keys = [`${prefix}{gateways}/ends`, `${prefix}{gateways}/said`];
  }

  async put({ id, url, zone, group, load, sockets, draining, unready }: GatewayDescription, ttlMs: number): Promise<void> {
    const said = JSON.stringify({ id, url, zone, group, load, sockets, draining, unready });
    await this.#connection.run((commands) => putScript.run(commands, this.#keys, [id, said, ttlMs]));
  }

  async remove(id: string): Promise<void> {
    await this.#connection.run((commands) => removeScript.run(commands, this.#keys, [id]));
  }

  async list(): Promise<GatewayRecord[]> {
    const answer = await this.#connection.run((commands) => listScript.run(commands, this.#keys, []));
    if (!Array.isArray(answer)) throw new TypeError('The list script answered something else');
    const gateways: GatewayRecord[] = [];
    for (let i = 0; i + 1 < answer.length; i += 2) {
      const gateway = readRecord(String(answer[i + 1]), Number(answer[i]));
      if (gateway !== undefined) gateways.push(gateway);
    }
    return gateways.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The connection is whoever's who opened it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}

/** What was said in another form, by a gateway of another version or by nobody of ours, is passed over. */
function readRecord(text: string, expiresAt: number): GatewayRecord | undefined {
  const said = parseJson(text);
  if (typeof said !== 'object' || said === null) return undefined;
  const { id, url, zone, group, load, sockets, draining, unready } = said as Partial<Record<keyof GatewayDescription, unknown>>;
  if (typeof id !== 'string' || typeof url !== 'string' || typeof zone !== 'string') return undefined;
  if (typeof load !== 'number' || typeof sockets !== 'number' || typeof draining !== 'boolean') return undefined;
  const named = typeof group === 'string' ? { group } : {};
  return { id, url, zone, ...named, load, sockets, draining, ...(unready === true ? { unready } : {}), expiresAt };
}
