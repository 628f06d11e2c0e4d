/** Sharded publish and subscribe came with Redis 7. */
const oldestMajor = 7;

/** The server is older than what Nudge needs. */
export class RedisTooOld extends Error {
  override readonly name = 'RedisTooOld';
}

/** Throws {@link RedisTooOld} unless the answer to `INFO server` is that of a server with sharded publish and subscribe. */
export function requireVersion(info: string): void {
  const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'unknown';
  if (Number.parseInt(version, 10) >= oldestMajor) return;
  throw new RedisTooOld(
    `Redis ${version} is too old: Nudge needs version ${oldestMajor} or later (sharded pub/sub). Upgrade the server that REDIS_URL names.`,
  );
}
