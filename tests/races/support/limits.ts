/** Bounds that no race and no load shall hit: they are about order and loss, not about rates. */
export const wideLimits = {
  LIMIT_WRITES_PER_10_SECONDS: '1000000',
  LIMIT_REQUESTS_IN_FLIGHT_PER_USER: '1000',
  LIMIT_READS_PER_10_SECONDS: '1000000',
  LIMIT_MARKS_PER_10_SECONDS: '1000000',
  LIMIT_EVENT_LOOP_DELAY_MS: '60000',
} as const;
