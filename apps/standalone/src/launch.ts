import { ConfigError } from '@nudge/server-kit';
import { EmbeddedPostgresError, hasErrno } from './postgres/errors.ts';
import { RedisServerMissing } from './redis/redis-binary.ts';

/** What whoever starts a server can put right from one line; undefined for everything else, which wants its trace. */
export function plainReason(error: unknown): string | undefined {
  if (error instanceof ConfigError || error instanceof EmbeddedPostgresError || error instanceof RedisServerMissing) return error.message;
  if (!(error instanceof Error)) return undefined;
  const { address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const at = port === undefined ? (address ?? '') : `${address}:${port}`;
  if (hasErrno(error, 'EADDRINUSE')) return `${at} is in use: stop what listens there, or set PORT to a free one`;
  if (hasErrno(error, 'EADDRNOTAVAIL')) return `${at} is no address of this machine: set HOST to one that is`;
  return undefined;
}

/** Ends the process with the reason alone where that is all one needs; throws everything else again. Nothing may be running any more. */
export function endPlainly(error: unknown): never {
  const reason = plainReason(error);
  if (reason === undefined) throw error;
  process.stderr.write(`could not start: ${reason}\n`);
  process.exit(1);
}
