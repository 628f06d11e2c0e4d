import { at, type Findings, list, type Tree, tree } from './findings.ts';
import type { KnownMetrics } from './known-metrics.ts';
import { readQuery } from './promql.ts';

const rules = 'prometheus/rules.yaml';
const scrapes = 'prometheus/prometheus.yaml';
const alertKeys = new Set(['alert', 'expr', 'for', 'keep_firing_for', 'labels', 'annotations']);
const recordKeys = new Set(['record', 'expr', 'labels']);

/** The rules and the scrape configuration: form, syntax of the expressions, and that every metric, label and job exists. */
export function checkPrometheus(findings: Findings, known: KnownMetrics): void {
  const scraped = tree(findings.yaml(scrapes)[0]);
  const jobs = list(scraped.scrape_configs).map((config) => String(at(config, 'job_name')));
  const services = tree(at(findings.yaml('compose/compose.yaml')[0], 'services'));
  for (const target of list(scraped.scrape_configs).flatMap((config) => list(at(config, 'static_configs', 0, 'targets')))) {
    const [host = '', port] = String(target).split(':');
    findings.expect(host in services && port === '9464', scrapes, `${String(target)} is no operations port of the compose file`);
  }
  const groups = list(at(findings.yaml(rules)[0], 'groups')).map(tree);
  const all = groups.flatMap((group) => list(group.rules).map(tree));
  const recorded = new Map(all.filter((rule) => rule.record !== undefined).map((rule) => [String(rule.record), String(rule.expr)]));
  const names = [...groups.map((group) => group.name), ...all.map((rule) => rule.alert ?? rule.record)].map(String);
  for (const [index, name] of names.entries()) findings.expect(names.indexOf(name) === index, rules, `${name} is there twice`);
  for (const rule of all) checkRule(findings, rule, jobs, known, recorded);
}

function checkRule(
  findings: Findings,
  rule: Tree,
  jobs: readonly string[],
  known: KnownMetrics,
  recorded: ReadonlyMap<string, string>,
): void {
  const name = String(rule.alert ?? rule.record);
  for (const key of Object.keys(rule))
    findings.expect((rule.record === undefined ? alertKeys : recordKeys).has(key), rules, `${name}: ${key} is not known`);
  findings.expect(rule.for === undefined || /^(\d+(ms|s|m|h|d|w|y))+$/.test(String(rule.for)), rules, `${name}: for takes a duration`);
  if (rule.alert !== undefined) {
    findings.expect(at(rule, 'labels', 'severity') !== undefined, rules, `${name} has no severity`);
    findings.expect(at(rule, 'annotations', 'summary') !== undefined, rules, `${name} has no summary`);
  }
  const expression = String(rule.expr);
  checkQuery(findings, rules, name, expression, known, recorded);
  for (const [, sign, value = ''] of expression.matchAll(/\bjob(=~?)"([^"]*)"/g)) {
    const matches = jobs.some((job) => (sign === '=' ? job === value : new RegExp(`^(?:${value})$`).test(job)));
    findings.expect(matches, rules, `${name}: no job is called ${value}`);
  }
}

/** An expression: its syntax, and that something registers what it asks for. */
export function checkQuery(
  findings: Findings,
  file: string,
  name: string,
  expression: string,
  known: KnownMetrics,
  recorded: ReadonlyMap<string, string> = new Map(),
): void {
  const { errors, metrics, labels } = readQuery(expression);
  for (const error of errors) findings.add(file, `${name}: ${error}`);
  findings.expect(metrics.length > 0, file, `${name} asks for no metric`);
  const allowed = new Set<string>();
  for (const metric of metrics) {
    const own = known.get(metric);
    const through = recorded.get(metric);
    if (own === undefined && through === undefined) findings.add(file, `${name}: nothing registers ${metric}`);
    for (const label of own ?? readQuery(through ?? '').labels) allowed.add(label);
    if (metric.endsWith('_bucket')) allowed.add('le');
  }
  for (const label of labels) findings.expect(allowed.has(label), file, `${name}: none of its metrics carries the label ${label}`);
}
