export const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** How traces are taken; endpoint, headers and resource are read from `OTEL_*` by the exporter itself. */
export interface TracingConfig {
  /** `OTEL_TRACES_SAMPLER`. */
  readonly sampler: (typeof samplers)[number];
  /** `OTEL_TRACES_SAMPLER_ARG`: share of traces taken by a `traceidratio` sampler, 0 to 1. */
  readonly ratio: number;
  /** `OTEL_BSP_SCHEDULE_DELAY`: between two exports, ms. */
  readonly exportDelayMs: number;
  /** `OTEL_EXPORTER_OTLP_TIMEOUT`: of one export with its retries, ms. The end of the process waits for the last one. */
  readonly exportTimeoutMs: number;
}
