import type { Logger } from '../log.ts';
import { noTracer, type Tracer } from './tracer.ts';
import type { TracingConfig } from './tracing-config.ts';

/** The tracer of a process. OpenTelemetry is loaded only when traces are wanted. Disposing exports what is left. */
export async function openTracer(config: TracingConfig | undefined, log: Logger): Promise<Tracer> {
  if (config === undefined) return noTracer;
  const { createOtelTracer } = await import('./otel-tracer.ts');
  return createOtelTracer(config, log);
}
