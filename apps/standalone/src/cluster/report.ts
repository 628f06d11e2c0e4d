import { describeEnd, type ProcessEvent } from '@nudge/server-kit';

/** A line of the table. */
export interface Row {
  readonly name: string;
  readonly pid: number;
  /** Port or address that clients or apps use. */
  readonly port: number;
  /** Address of the operations port. */
  readonly ops: string | undefined;
  readonly state: string;
}

/** What runs where. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ name, pid, port, ops, state }) => [name, String(pid), String(port), ops ?? '-', state]);
  const all = [['process', 'pid', 'port', 'operations', 'state'], ...cells];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ')}`.trimEnd()).join('\n');
}

/** What happened to a process, as one line; nothing for its first start. */
export function tell(name: string, event: ProcessEvent): string | undefined {
  switch (event.type) {
    case 'serving':
      return event.again ? `${name} is back (pid ${event.pid})` : undefined;
    case 'ended':
      return `${name} (pid ${event.pid}) ended ${describeEnd(event.end)}: started again in ${event.restartInMs} ms`;
    case 'failed':
      return `${name} could not be started again, next try in ${event.restartInMs} ms: ${event.error.message}`;
  }
}
