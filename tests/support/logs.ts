/** What a logger was told: `level message {fields}` per line. */
export interface CollectedLog {
  readonly lines: readonly string[];
  readonly log: Record<'debug' | 'info' | 'warn' | 'error', (fields: object, message: string) => void>;
}

/** A logger that keeps everything and prints nothing. */
export function collectLog(): CollectedLog {
  const lines: string[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}
