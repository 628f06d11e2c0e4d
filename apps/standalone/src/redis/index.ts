export { redisServerBinary } from './redis-binary.ts';
