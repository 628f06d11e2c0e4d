import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  type Tracer as OtelApi,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Logger } from '../log.ts';
import { RecentTraces } from './recent-traces.ts';
import type { ActiveSpan, SpanOptions, TraceParent, Tracer } from './tracer.ts';
import type { TracingConfig } from './tracing-config.ts';

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

const wellFormed = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const zeros = /^0+$/;

/** Traces by OpenTelemetry, exported over OTLP/HTTP. Endpoint, headers and resource are read by its own packages from `OTEL_*`. */
export function createOtelTracer(config: TracingConfig, log: Logger): Tracer {
  const { exportDelayMs: scheduledDelayMillis, exportTimeoutMs } = config;
  const exporter = new OTLPTraceExporter({ timeoutMillis: exportTimeoutMs });
  const processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis, exportTimeoutMillis: exportTimeoutMs });
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': String(log.bindings().name ?? 'nudge'), 'service.instance.id': `${process.pid}` }))
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(config),
    spanProcessors: [processor],
  });
  return new OtelTracer(provider, log);
}

class OtelTracer implements Tracer {
  readonly enabled = true;
  readonly #provider: TracerProvider;
  readonly #log: Logger;
  readonly #api: OtelApi;
  readonly #context = new AsyncLocalStorage<Context>();
  readonly #recent = new RecentTraces();

  constructor(provider: TracerProvider, log: Logger) {
    this.#provider = provider;
    this.#log = log;
    this.#api = provider.getTracer('nudge');
  }

  span<T>(name: string, { kind = 'internal', parent, links = [], attributes = {} }: SpanOptions, work: (span: ActiveSpan) => T): T {
    const remote = readTraceParent(parent);
    const context = remote === undefined ? (this.#context.getStore() ?? ROOT_CONTEXT) : trace.setSpanContext(ROOT_CONTEXT, remote);
    const linked = links.flatMap((link) => readTraceParent(link) ?? []).map((spanContext) => ({ context: spanContext }));
    const span = this.#api.startSpan(name, { kind: kinds[kind], attributes, links: linked }, context);
    const active: ActiveSpan = { set: (key, value) => void span.setAttribute(key, value) };
    return this.#context.run(trace.setSpan(context, span), () => {
      try {
        const result = work(active);
        if (!(result instanceof Promise)) {
          span.end();
          return result;
        }
        return endWith(span, result) as T;
      } catch (error) {
        fail(span, error);
        throw error;
      }
    });
  }

  current(): TraceParent | undefined {
    const context = this.#context.getStore();
    const span = context === undefined ? undefined : trace.getSpanContext(context);
    // What is not sampled leads to nothing anybody could look at.
    if (span === undefined || (span.traceFlags & 1) === 0) return undefined;
    return `00-${span.traceId}-${span.spanId}-01`;
  }

  remember(log: string, seq: number, parent: TraceParent): void {
    this.#recent.remember(log, seq, parent);
  }

  recall(log: string, seq: number): TraceParent | undefined {
    return this.#recent.recall(log, seq);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#provider.shutdown();
    } catch (error) {
      this.#log.warn({ err: error }, 'the last traces were not exported');
    }
  }
}

async function endWith<T>(span: Span, result: Promise<T>): Promise<T> {
  try {
    const value = await result;
    span.end();
    return value;
  } catch (error) {
    fail(span, error);
    throw error;
  }
}

/** The kind of the failure only: its message may quote data. */
function fail(span: Span, error: unknown): void {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  span.setAttribute('error.type', code ?? (error instanceof Error ? error.constructor.name : typeof error));
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function readTraceParent(text: TraceParent | undefined): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] = wellFormed.exec(text ?? '') ?? [];
  if (traceId === '' || zeros.test(traceId) || zeros.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

function samplerOf({ sampler, ratio }: TracingConfig): Sampler {
  const [name, based] = sampler.startsWith('parentbased_') ? [sampler.slice('parentbased_'.length), true] : [sampler, false];
  const root =
    name === 'always_off' ? new AlwaysOffSampler() : name === 'traceidratio' ? new TraceIdRatioBasedSampler(ratio) : new AlwaysOnSampler();
  return based ? new ParentBasedSampler({ root }) : root;
}
