import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { HttpDurations } from './http-durations.ts';

/** A metric's name, its help line and the names of its labels. */
export interface MetricConfig<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly Label[];
}

/** The metrics of one process (or of one composed server in a test): nothing is global. */
export interface Metrics extends Disposable {
  readonly registry: Registry;
  counter<Label extends string = never>(config: MetricConfig<Label>): Counter<Label>;
  /** With `collect` the gauge is read when it is scraped. */
  gauge<Label extends string = never>(config: MetricConfig<Label> & { readonly collect?: () => number }): Gauge<Label>;
  histogram<Label extends string = never>(config: MetricConfig<Label> & { readonly buckets?: readonly number[] }): Histogram<Label>;
  /** Duration of HTTP requests by route name and status, seconds. */
  readonly http: HttpDurations;
  /** Mean delay of the event loop since the previous call, ms. */
  eventLoopDelayMs(): number;
  /** Everything in the Prometheus text format. */
  text(): Promise<string>;
}

/** Interval of the event-loop probe, ms: how late it fires is the delay. */
const resolutionMs = 20;
const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** New metrics with an own registry, among them memory, CPU and event-loop delay of the process. Dispose to stop the probe. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const http = new HttpDurations();
  const metrics: Omit<Metrics, 'eventLoopDelayMs' | typeof Symbol.dispose> = {
    registry,
    counter: (config) =>
      new Counter({
        ...config,
        labelNames: config.labelNames ?? [],
        registers,
      }),
    gauge<Label extends string>({ collect, ...config }: MetricConfig<Label> & { readonly collect?: () => number }) {
      const gauge: Gauge<Label> = new Gauge({
        ...config,
        labelNames: config.labelNames ?? [],
        registers,
        ...(collect ? { collect: () => gauge.set(collect()) } : {}),
      });
      return gauge;
    },
    histogram: (config) =>
      new Histogram({
        ...config,
        labelNames: config.labelNames ?? [],
        buckets: [...(config.buckets ?? seconds)],
        registers,
      }),
    http,
    text: async () => `${await registry.metrics()}\n${http.text()}`,
  };
  const probe = monitorEventLoopDelay({ resolution: resolutionMs });
  const scraped = monitorEventLoopDelay({ resolution: resolutionMs });
  probe.enable();
  scraped.enable();
  metrics.gauge({
    name: 'nudge_event_loop_delay_seconds',
    help: 'Mean delay of the event loop since the last scrape',
    collect: () => meanDelayMs(scraped) / 1000,
  });
  metrics.gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory',
    collect: () => process.memoryUsage.rss(),
  });
  metrics.gauge({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time',
    collect: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  });
  return {
    ...metrics,
    eventLoopDelayMs: () => meanDelayMs(probe),
    [Symbol.dispose]() {
      probe.disable();
      scraped.disable();
    },
  };
}

function meanDelayMs(histogram: ReturnType<typeof monitorEventLoopDelay>): number {
  const mean = histogram.mean;
  histogram.reset();
  return Number.isNaN(mean) ? 0 : Math.max(0, mean / 1e6 - resolutionMs);
}
