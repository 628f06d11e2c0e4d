/** Names and values of PostgreSQL's run-time settings. */
export type ServerSettings = Readonly<Record<string, string>>;

interface SettingsInput {
  readonly port: number;
  /** Shows in the command line and the process titles of the whole cluster. */
  readonly clusterName: string;
  readonly durable: boolean;
  /** Win over everything here. */
  readonly overrides: ServerSettings | undefined;
}

/**
 * The settings of an embedded server: safe for a crash of the machine, small enough for 1 GB of
 * memory, loopback only. They are given on the command line, so a newer Nudge brings its own.
 */
export function serverSettings(input: SettingsInput): ServerSettings {
  const on = input.durable ? 'on' : 'off';
  return {
    cluster_name: input.clusterName,
    listen_addresses: '127.0.0.1',
    port: String(input.port),
    // The data directory itself: private, and as a relative path never too long for a socket.
    unix_socket_directories: '.',
    password_encryption: 'scram-sha-256',
    max_connections: '100',

    fsync: on,
    full_page_writes: on,
    // Also without fsync: a commit that was answered is in the WAL, for replicas and after a kill -9.
    synchronous_commit: 'on',
    wal_level: 'replica',
    max_wal_size: '512MB',

    shared_buffers: '128MB',
    // Every query here touches few rows. Parallel workers would cost more than they win, and need
    // more shared memory than the 64 MB that containers grant by default.
    max_parallel_workers_per_gather: '0',
    max_parallel_maintenance_workers: '0',
    jit: 'off',

    timezone: 'UTC',
    log_timezone: 'UTC',
    // A failed statement is the application's to report. Here it could carry what users wrote.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_checkpoints: 'off',
    log_line_prefix: '',

    ...input.overrides,
  };
}

/** The settings as arguments of `postgres`. */
export function settingsArguments(settings: ServerSettings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
