import { type Admission, createAdmission } from './auth/admission.ts';
import { AppDirectory, type DirectoryContent } from './auth/app-directory.ts';
import { createServerKeyVerifier } from './auth/server-key.ts';
import { createTokenVerifier, type TokenVerifier } from './auth/token-verifier.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { createHttpHost, type HttpHost, type HttpHostOptions } from './http/http-host.ts';
import { createOriginPolicy, type OriginPolicy } from './http/origin-policy.ts';
import { createPipeline } from './http/pipeline.ts';
import type { Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { Bus } from './ports/bus.ts';
import { MemoryBus } from './ports/memory/memory-bus.ts';
import { MemoryRateLimiter } from './ports/memory/memory-rate-limiter.ts';
import { MemorySessionRegistry } from './ports/memory/memory-session-registry.ts';
import type { SessionRegistry } from './ports/session-registry.ts';

export interface PlatformOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Reads apps and keys; called at the start and every few seconds. */
  readonly load: () => Promise<DirectoryContent>;
  /** Makes sure that a user who comes with a valid token has a row. */
  readonly ensure: (appId: string, userId: string) => Promise<unknown>;
  /** Whether pages served by this machine itself may talk to the server. */
  readonly localhost: boolean;
  /** Instead of one in memory; whoever brings it disposes of it. */
  readonly bus?: Bus;
}

/** What every process of the product stands on, whatever it serves. The ports are those in memory unless brought along. */
export interface Platform extends AsyncDisposable {
  readonly limits: Config['limits'];
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly directory: AppDirectory;
  readonly tokens: TokenVerifier;
  readonly admit: Admission;
  readonly origins: OriginPolicy;
  readonly bus: Bus;
  readonly registry: SessionRegistry;
  /** The HTTP server for some routes, by the process' own address unless a port is given. Not disposed of with the platform. */
  host(
    parts: Pick<HttpHostOptions, 'hot' | 'routes' | 'extra'> & { readonly ready: HttpHostOptions['ops']['ready']; readonly port?: number },
  ): HttpHost;
}

/** Builds a platform and reads the keys once; rejects when they cannot be read. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { config, log, clock = systemClock, load, ensure, localhost } = options;
  const { limits } = config;
  await using stack = new AsyncDisposableStack();
  const metrics = stack.use(createMetrics());
  const directory = stack.use(new AppDirectory({ load, clock, log }));
  await directory.start();
  const bus = options.bus ?? stack.use(new MemoryBus({ log }));
  const registry = stack.use(new MemorySessionRegistry({ clock }));
  const tokens = createTokenVerifier({ directory, clock, limits });
  const serverKeys = createServerKeyVerifier({ directory });
  const admit = createAdmission({ ensure });
  const origins = createOriginPolicy({ allowed: config.allowedOrigins, localhost });
  const limiter = new MemoryRateLimiter({ clock });
  const { trustProxy } = config;
  const pipeline = createPipeline({ tokens, serverKeys, limiter, limits, metrics, log, directory, clock, admit, trustProxy });
  const opened = stack.move();
  return {
    limits,
    log,
    clock,
    metrics,
    directory,
    tokens,
    admit,
    origins,
    bus,
    registry,
    host: ({ ready, port = config.port, ...parts }) =>
      createHttpHost({ ...parts, pipeline, origins, ops: { metrics, ready }, log, limits, port, host: config.host }),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
