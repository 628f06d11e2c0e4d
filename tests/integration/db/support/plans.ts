import type { Pool } from '@nudge/db';
import pg from 'pg';
import type { TestDatabase } from '../../../support/database.ts';

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows'?: number;
  readonly 'Actual Loops'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Join Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** One access to a table by one statement, statements inside of functions included. */
export interface Access {
  readonly node: string;
  readonly relation: string;
  readonly index: string | null;
  /** Rows that were looked at, the discarded ones included. */
  readonly rows: number;
}

/** From now on every new session of `nudge` on this database reports the plan of each statement as a notice. */
export async function explainEverything(database: TestDatabase): Promise<void> {
  const admin = new pg.Client(database.adminConnectionString);
  await admin.connect();
  const settings = {
    session_preload_libraries: "'auto_explain'",
    'auto_explain.log_min_duration': '0',
    'auto_explain.log_nested_statements': 'on',
    'auto_explain.log_analyze': 'on',
    'auto_explain.log_timing': 'off',
    'auto_explain.log_format': 'json',
  };
  for (const [name, value] of Object.entries(settings))
    await admin.query(`alter role nudge in database ${database.name} set ${name} = ${value}`);
  await admin.end();
}

/** Collects the accesses of what runs on a pool. */
export function watchPlans(pool: Pool): { readonly accesses: Access[] } {
  const accesses: Access[] = [];
  pool.on('connect', (client) => {
    // Over what the pool asks for itself.
    client.query('set client_min_messages = log').catch(() => undefined);
    client.on('notice', ({ message }) => {
      const start = message?.indexOf('{') ?? -1;
      if (message === undefined || !/plan:/.test(message) || start < 0) return;
      const { Plan } = JSON.parse(message.slice(start)) as { Plan: PlanNode };
      collect(Plan, accesses);
    });
  });
  return { accesses };
}

function collect(node: PlanNode, into: Access[]): void {
  const relation = node['Relation Name'];
  if (relation !== undefined && /Scan/.test(node['Node Type'])) {
    const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
    const rows = ((node['Actual Rows'] ?? 0) + removed) * (node['Actual Loops'] ?? 1);
    into.push({ node: node['Node Type'], relation, index: node['Index Name'] ?? null, rows });
  }
  for (const child of node.Plans ?? []) collect(child, into);
}
