export {
  type Admission,
  type AdmissionOptions,
  createAdmission,
} from './auth/admission.ts';
export {
  AppDirectory,
  type AppDirectoryOptions,
  type DirectoryContent,
} from './auth/app-directory.ts';
export {
  type AppKey,
  type AppKeyKind,
  minSecretBytes,
} from './auth/app-key.ts';
export type { Identity, ServerIdentity } from './auth/identity.ts';
export { mintToken } from './auth/mint-token.ts';
export { type LoadRestrictions, type Restriction, Restrictions, type RestrictionsOptions } from './auth/restrictions.ts';
export {
  createServerKeyVerifier,
  hashServerSecret,
  newServerKey,
  type ServerKeyVerifier,
} from './auth/server-key.ts';
export { type PolicySession, type SessionVerdict, sessionsToEnd, surplusSessions } from './auth/session-policy.ts';
export {
  createTokenVerifier,
  type TokenVerifier,
  type TokenVerifierOptions,
} from './auth/token-verifier.ts';
export { type Clock, systemClock } from './clock.ts';
export {
  type Config,
  ConfigError,
  type Environment,
  readConfig,
  readLimits,
  readOrExit,
} from './config.ts';
export {
  type Issue,
  isErrorCode,
  NudgeError,
  type NudgeErrorOptions,
  toNudgeError,
  toProblem,
} from './errors.ts';
export { orderGateways } from './gateways/order-gateways.ts';
export { type GatewayRegistration, type RegisterGatewayOptions, registerGateway } from './gateways/register-gateway.ts';
export { createClientAddress } from './http/client-address.ts';
export {
  createHttpHost,
  type HttpHost,
  type HttpHostOptions,
  type HttpTimeouts,
} from './http/http-host.ts';
export { createOriginPolicy, type OriginPolicy } from './http/origin-policy.ts';
export {
  createPipeline,
  type Pipeline,
  type PipelineOptions,
} from './http/pipeline.ts';
export {
  type Answer,
  type BoundRoute,
  bind,
  type Handler,
  type RawAnswer,
  type RequestContext,
} from './http/route-binding.ts';
export { parseStrictJson } from './http/strict-json.ts';
export { type MainOptions, runMain } from './lifecycle.ts';
export {
  createLogger,
  type Logger,
  type LoggerConfig,
  type LogLevel,
  logLevels,
} from './log.ts';
export { createMetrics, type MetricConfig, type Metrics } from './metrics.ts';
export type { OpsAddress } from './ops/ops-server.ts';
export type { ReadyCheck, ReadyReport } from './ops/readiness.ts';
export { type Platform, type PlatformOptions, type ProcessHost, startPlatform } from './platform.ts';
export {
  type Bus,
  type BusMessage,
  conversationTopic,
  type KickReason,
  kickReasons,
  type Publication,
  userTopic,
} from './ports/bus.ts';
export type { GatewayDescription, GatewayDirectory, GatewayRecord } from './ports/gateway-directory.ts';
export { MemoryBus } from './ports/memory/memory-bus.ts';
export { MemoryGatewayDirectory } from './ports/memory/memory-gateway-directory.ts';
export { MemoryRateLimiter } from './ports/memory/memory-rate-limiter.ts';
export { MemorySessionRegistry } from './ports/memory/memory-session-registry.ts';
export type {
  RateDecision,
  RateLimit,
  RateLimiter,
} from './ports/rate-limiter.ts';
export { connectRedis, RedisConnection, type RedisConnectionOptions } from './ports/redis/connection.ts';
export { parseRedisUrl, type RedisEndpoint, redisUrlForms } from './ports/redis/endpoint.ts';
export { RedisBus, type RedisBusOptions } from './ports/redis/redis-bus.ts';
export { RedisGatewayDirectory } from './ports/redis/redis-gateway-directory.ts';
export { RedisRateLimiter } from './ports/redis/redis-rate-limiter.ts';
export { RedisSessionRegistry, type RedisSessionRegistryOptions } from './ports/redis/redis-session-registry.ts';
export { defaultRedisTimings, type RedisTimings } from './ports/redis/timings.ts';
export { noRevocations, type Revocations } from './ports/revocations.ts';
export { constantRouter, type Router } from './ports/router.ts';
export type {
  SessionRecord,
  SessionRegistry,
} from './ports/session-registry.ts';
export {
  describeEnd,
  type ProcessEnd,
  type ProcessEvent,
  type ProcessState,
  SupervisedProcess,
  type SupervisedProcessOptions,
} from './supervision/supervised-process.ts';
export { noTracer, type Tracer } from './tracing/tracer.ts';
