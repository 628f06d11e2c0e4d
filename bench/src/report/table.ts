import type { Row } from './result.ts';

/** The rows as text for a terminal: one line a row, figures by name, what went wrong below it. */
export function renderTable(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) => {
    const figures = Object.entries(row.figures).map(([name, value]) => `${name} ${value}`);
    const verdict = row.goal === undefined ? '' : `  [goal ${row.goal}: ${row.met === true ? 'met' : 'MISSED'}]`;
    const head = `${row.workload.padEnd(4)} ${row.what.padEnd(34)} ${figures.join('  ')}${verdict}`;
    return row.problems.length === 0 ? [head] : [`${head}  NO FIGURE`, ...row.problems.map((problem) => `       ! ${problem}`)];
  });
  return lines.join('\n');
}
