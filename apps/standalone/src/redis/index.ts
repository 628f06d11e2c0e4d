export { redisServerBinary } from './redis-binary.ts';
export { type RedisServer, startRedisServer } from './redis-server.ts';
