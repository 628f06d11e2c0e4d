import { expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';

it('keeps registries apart and shows everything in one text', async () => {
  using one = createMetrics();
  using two = createMetrics();
  one.counter({ name: 'sent_total', help: 'h', labelNames: ['kind'] }).inc({ kind: 'a' }, 2);
  one.gauge({ name: 'sockets', help: 'h', collect: () => 7 });
  one.histogram({ name: 'batch', help: 'h', buckets: [1, 2] }).observe(1.5);
  const text = await one.text();
  expect(text).toContain('sent_total{kind="a"} 2');
  expect(text).toContain('sockets 7');
  expect(text).toContain('batch_bucket{le="2"} 1');
  expect(text).toMatch(/process_resident_memory_bytes \d+/);
  expect(text).toMatch(/nudge_event_loop_delay_seconds \d/);
  expect(await two.text()).not.toContain('sockets');
});

it('counts durations by route and status in cumulative buckets', async () => {
  using metrics = createMetrics();
  const series = metrics.http.labels('sync', 200);
  for (const seconds of [0.0004, 0.001, 0.0011, 60]) series.observe(seconds);
  metrics.http.labels('sync', 200).observe(0.3);
  const text = await metrics.text();
  expect(text).toContain('# TYPE nudge_http_request_seconds histogram');
  expect(text).toContain('nudge_http_request_seconds_bucket{route="sync",status="200",le="0.0005"} 1\n');
  expect(text).toContain('nudge_http_request_seconds_bucket{route="sync",status="200",le="0.001"} 2\n');
  expect(text).toContain('nudge_http_request_seconds_bucket{route="sync",status="200",le="10"} 4\n');
  expect(text).toContain('nudge_http_request_seconds_bucket{route="sync",status="200",le="+Inf"} 5\n');
  expect(text).toContain('nudge_http_request_seconds_count{route="sync",status="200"} 5\n');
  expect(text).toMatch(/nudge_http_request_seconds_sum\{route="sync",status="200"\} 60\.3/);
});

it('tells the delay of the event loop', () => {
  using metrics = createMetrics();
  expect(metrics.eventLoopDelayMs()).toBeGreaterThanOrEqual(0);
});
