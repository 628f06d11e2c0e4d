import { parser } from '@prometheus-io/lezer-promql';

/** What an expression asks for: names of metrics, each with the labels that are matched or grouped by. */
export interface Query {
  readonly errors: readonly string[];
  readonly metrics: readonly string[];
  readonly labels: readonly string[];
}

/** Reads an expression with Prometheus's own grammar. Variables of Grafana are filled in before. */
export function readQuery(expression: string): Query {
  const text = expression.replaceAll('$__rate_interval', '5m').replaceAll(/\$\{?\w+\}?/g, 'any');
  const errors: string[] = [];
  const metrics = new Set<string>();
  const labels = new Set<string>();
  parser.parse(text).iterate({
    enter(node) {
      const word = text.slice(node.from, node.to);
      if (node.type.isError) errors.push(`syntax error at ${JSON.stringify(text.slice(node.from, node.from + 20))}`);
      if (node.name === 'Identifier') metrics.add(word);
      if (node.name === 'LabelName') labels.add(word);
    },
  });
  return { errors, metrics: [...metrics], labels: [...labels] };
}
