type Write = (fields: object, message: string) => void;

/** The part of a pino logger that this folder needs. */
export interface PostgresLog {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
}
