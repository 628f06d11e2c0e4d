import { Script } from './script.ts';

/** The server's time, ms, unless the last argument is another. */
const nowLua = `local now = tonumber(ARGV[#ARGV])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
`;

/**
 * KEYS: leases. ARGV: the lease held, the one to hold instead if that ended, ttl ms, ms that ended leases are kept. Answers 1 when it went on,
 * 0 when it had ended. Leases are members of a sorted set by their end; ended ones tell when the users of a dead gateway were last seen.
 */
export const renewLease = new Script(`${nowLua}
local ends = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
local lives = ends > now
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), lives and ARGV[1] or ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[4]))
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]) + tonumber(ARGV[4]))
return lives and 1 or 0
`);

/** KEYS: leases. ARGV: how the leases of a gateway begin. They end now. */
export const endLeases = new Script(`${nowLua}
local leases = redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')
for i, lease in ipairs(leases) do
  if string.sub(lease, 1, #ARGV[1]) == ARGV[1] then redis.call('ZADD', KEYS[1], now, lease) end
end
return 1
`);

/** KEYS: leases. Answers {now, lease, its end, lease, its end, …}. */
export const readLeases = new Script(`${nowLua}
local answer = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
table.insert(answer, 1, string.format('%.0f', now))
return answer
`);

/** Whether any record of the user (KEYS[1]) is hidden: the first letter of a record says so. */
const hiddenLua = `local hidden = false
for i, value in ipairs(redis.call('HVALS', KEYS[1])) do
  if string.sub(value, 1, 1) == 'h' then hidden = true end
end
`;

/** KEYS: user. ARGV: field, record, ms that a user is remembered. */
export const putSession = new Script(`
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if string.sub(ARGV[2], 1, 1) == 'h' then redis.call('HDEL', KEYS[1], 'seen') end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
`);

/** KEYS: user. ARGV: field, ms that a user is remembered. Answers now, ms. */
export const removeSession = new Script(`${nowLua}${hiddenLua}
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 and not hidden then
  redis.call('HSET', KEYS[1], 'seen', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return string.format('%.0f', now)
`);

/**
 * KEYS: user. ARGV: when it was last seen or '', ms that a user is remembered, then field, record, … of dead records. One that was put anew
 * meanwhile stays, and when a user was last seen is not noted of one who hides.
 */
export const buryRecords = new Script(`
local buried = 0
for i = 3, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then buried = buried + redis.call('HDEL', KEYS[1], ARGV[i]) end
end
${hiddenLua}
if ARGV[1] ~= '' and buried > 0 and not hidden then
  local seen = tonumber(redis.call('HGET', KEYS[1], 'seen') or 0)
  if tonumber(ARGV[1]) > seen then redis.call('HSET', KEYS[1], 'seen', ARGV[1]) end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return buried
`);
