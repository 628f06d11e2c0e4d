/** Redis did not answer in time, or there is no connection to it. */
export class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

/** The result of `work`, or {@link RedisAway} after `ms`. What `work` comes to afterwards is of no interest, a failure included. */
export async function withDeadline<Value>(work: Promise<Value>, ms: number): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new RedisAway(`Redis did not answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
