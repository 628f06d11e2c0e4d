/** Why an embedded PostgreSQL could not be started. The message of the error names the remedy. */
export type EmbeddedPostgresErrorCode =
  | 'already_running'
  | 'binaries_unusable'
  | 'cannot_change_user'
  | 'foreign_owner'
  | 'init_failed'
  | 'not_a_cluster'
  | 'port_in_use'
  | 'start_failed'
  | 'unsupported_platform'
  | 'wrong_major_version';

/** Raised by everything in this folder; `message` can be shown to a person as it is. */
export class EmbeddedPostgresError extends Error {
  readonly code: EmbeddedPostgresErrorCode;

  constructor(code: EmbeddedPostgresErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EmbeddedPostgresError';
    this.code = code;
  }
}

/** True for errors of the operating system (`ENOENT`, `EACCES`, ...) with one of the given codes. */
export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}
