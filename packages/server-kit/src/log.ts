import { type DestinationStream, type LoggerOptions, type Logger as PinoLogger, pino } from 'pino';
import pretty from 'pino-pretty';
import { describeError, messageOf } from './logged-error.ts';

export type Logger = PinoLogger;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * Fields whose text may be logged: what locates a fault, never what a user wrote nor a credential. Numbers and booleans pass under any name;
 * every other text, object or list is replaced. The message of a line is constant text and takes no values.
 */
export const loggedFields: ReadonlySet<string> = new Set(
  `appId check code component conversationId dataDir deviceId gatewayId group host hostname kid kind limit log method migration name opsUrl phase reason
  requestId route sessionId signal state subject topic type url userId variable version`.split(/\s+/),
);

/** What stands in a line instead of a value that is not on the list. */
export const REDACTED = '[redacted]';

export interface LoggerConfig {
  readonly name: string;
  readonly level?: LogLevel;
  /** Lines for people instead of JSON. */
  readonly pretty?: boolean;
  /** Where the lines go; standard output by default. */
  readonly destination?: DestinationStream;
}

/** The process' logger. Whatever is logged beside the message goes through an allow-list: {@link loggedFields}, {@link describeError}. */
export function createLogger(config: LoggerConfig): Logger {
  const options: LoggerOptions = {
    name: config.name,
    level: config.level ?? 'info',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label) => ({ level: label }),
      bindings: allowed,
      log: allowed,
    },
    // In place of pino's own, which would describe the description.
    serializers: { err: (error: unknown) => (error instanceof Error ? describeError(error) : error) },
    hooks: {
      // An error given without a message would lend pino its own, and values would be interpolated: both bypass the list.
      logMethod(args, method) {
        const [first, second] = args as readonly unknown[];
        if (typeof first === 'string') return method.call(this, first);
        const fields = first instanceof Error ? { err: first } : (first as Record<string, unknown>);
        return method.call(this, fields, typeof second === 'string' ? second : messageOf(fields.err));
      },
    },
  };
  if (config.pretty)
    return pino(
      options,
      pretty({
        ignore: 'pid,hostname',
        ...(config.destination ? { destination: config.destination } : {}),
      }),
    );
  return config.destination ? pino(options, config.destination) : pino(options);
}

function allowed(fields: Record<string, unknown>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (value instanceof Error || name === 'err') kept[name] = describeError(value);
    else if (typeof value === 'number' || typeof value === 'boolean' || value === null) kept[name] = value;
    else kept[name] = typeof value === 'string' && loggedFields.has(name) ? value : REDACTED;
  }
  return kept;
}
