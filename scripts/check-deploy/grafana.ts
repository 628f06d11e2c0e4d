import { at, type Findings, list, type Tree, tree } from './findings.ts';
import type { KnownMetrics } from './known-metrics.ts';
import { checkQuery } from './prometheus.ts';

export const dashboardFile = 'grafana/dashboard.json';

/** The dashboard: its queries, its variables, and that no two panels lie on each other. Answers its content for further checks. */
export function checkGrafana(findings: Findings, known: KnownMetrics): unknown {
  const content = parse(findings);
  const variables = list(at(content, 'templating', 'list')).map(tree);
  const names = new Set(variables.map((variable) => String(variable.name)));
  for (const variable of variables.filter(({ type }) => type === 'query')) {
    const query = /^label_values\((.+), (\w+)\)$/.exec(String(variable.query));
    findings.expect(query !== null, dashboardFile, `${String(variable.name)} takes label_values(metric, label)`);
    checkQuery(findings, dashboardFile, String(variable.name), query?.[1] ?? '', known);
  }
  const panels = list(at(content, 'panels')).map(tree);
  for (const panel of panels) {
    for (const target of list(panel.targets)) {
      const expression = String(at(target, 'expr'));
      checkQuery(findings, dashboardFile, String(panel.title), expression, known);
      for (const [, name = ''] of expression.matchAll(/\$\{?(\w+)\}?/g))
        findings.expect(names.has(name) || name.startsWith('__'), dashboardFile, `${String(panel.title)}: there is no variable ${name}`);
    }
  }
  checkPlaces(findings, panels);
  const uid = at(findings.yaml('grafana/provisioning/datasources/nudge.yaml')[0], 'datasources', 0, 'type');
  findings.expect(uid === 'prometheus', 'grafana/provisioning/datasources/nudge.yaml', 'the data source must be Prometheus');
  const path = String(at(findings.yaml('grafana/provisioning/dashboards/nudge.yaml')[0], 'providers', 0, 'options', 'path'));
  findings.expect(
    findings.read('compose/compose.yaml').includes(`/dashboard.json:${path}/`),
    'grafana/provisioning/dashboards/nudge.yaml',
    `the compose file mounts no dashboard into ${path}`,
  );
  return content;
}

function parse(findings: Findings): unknown {
  try {
    return JSON.parse(findings.read(dashboardFile)) as unknown;
  } catch (error) {
    findings.add(dashboardFile, error instanceof Error ? error.message : String(error));
    return {};
  }
}

function checkPlaces(findings: Findings, panels: readonly Tree[]): void {
  const ids = panels.map((panel) => panel.id);
  findings.expect(new Set(ids).size === ids.length, dashboardFile, 'two panels have the same id');
  const cells = new Set<string>();
  for (const { title, gridPos } of panels) {
    const { x, y, w, h } = Object.fromEntries(['x', 'y', 'w', 'h'].map((key) => [key, Number(at(gridPos, key))])) as Record<
      'x' | 'y' | 'w' | 'h',
      number
    >;
    findings.expect(x + w <= 24, dashboardFile, `${String(title)} is wider than the page`);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        findings.expect(!cells.has(`${column} ${line}`), dashboardFile, `${String(title)} lies on another panel`);
        cells.add(`${column} ${line}`);
      }
    }
  }
}
