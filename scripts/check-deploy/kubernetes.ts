import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defaultHeartbeats } from '@nudge/types';
import { at, type Findings, list, same, type Tree, tree } from './findings.ts';
import type { ImageFacts } from './image.ts';
import { checkPod, podOf } from './kubernetes-pod.ts';
import { checkRouting } from './proxy.ts';

/** An object of Kubernetes, and the file that it stands in. */
export interface Manifest {
  readonly file: string;
  readonly kind: string;
  readonly name: string;
  readonly object: Tree;
}

interface Model {
  new (data: object): { validate(): void };
}

const folders = ['kubernetes/base', 'kubernetes/migrate'];
const apps = ['api', 'sync', 'gateway'];

/** The manifests: against the schemas of Kubernetes, then what they must say of each other. Answers them for further checks. */
export async function checkKubernetes(findings: Findings, image: ImageFacts): Promise<Manifest[]> {
  const manifests = folders.flatMap((folder) => readFolder(findings, folder));
  for (const { file, kind, object } of manifests) {
    const specifier = `kubernetes-models/${String(object.apiVersion)}/${kind}`;
    const module = (await import(specifier)) as Record<string, Model>;
    const model = module[kind];
    if (model === undefined) throw new Error(`no schema for ${kind}`);
    try {
      new model(object).validate();
    } catch (error) {
      findings.add(file, error instanceof Error ? error.message : String(error));
    }
  }
  const find = (kind: string, name: string) => manifests.find((manifest) => manifest.kind === kind && manifest.name === name);
  for (const app of apps) checkApp(findings, app, find);
  for (const manifest of manifests) if (podOf(manifest) !== undefined) checkPod(findings, manifest, manifests, image);
  checkIngress(findings, find);
  checkNetwork(findings, find('NetworkPolicy', 'nudge'), manifests);
  return manifests;
}

function readFolder(findings: Findings, folder: string): Manifest[] {
  const kustomization = `${folder}/kustomization.yaml`;
  const named = list(at(findings.yaml(kustomization)[0], 'resources')).map(String);
  const present = readdirSync(join(findings.dir, folder)).filter((file) => file !== 'kustomization.yaml');
  for (const file of named) findings.expect(present.includes(file), kustomization, `there is no ${file}`);
  for (const file of present) findings.expect(named.includes(file), kustomization, `${file} is not named`);
  return present
    .map((file) => `${folder}/${file}`)
    .flatMap((file) => findings.yaml(file).map((content) => ({ file, object: tree(content) })))
    .map(({ file, object }) => ({ file, object, kind: String(object.kind), name: String(at(object, 'metadata', 'name')) }));
}

type Find = (kind: string, name: string) => Manifest | undefined;

function checkApp(findings: Findings, app: string, find: Find): void {
  const name = `nudge-${app}`;
  const deployment = find('Deployment', name);
  const file = deployment?.file ?? `kubernetes/base/${app}.yaml`;
  const labels = at(deployment?.object, 'spec', 'template', 'metadata', 'labels');
  const agree = (kind: string, selector: unknown) =>
    findings.expect(same(selector, labels), file, `the selector of the ${kind} ${name} does not select its pods`);
  agree('Deployment', at(deployment?.object, 'spec', 'selector', 'matchLabels'));
  agree('Service', at(find('Service', name)?.object, 'spec', 'selector'));
  agree('PodDisruptionBudget', at(find('PodDisruptionBudget', name)?.object, 'spec', 'selector', 'matchLabels'));
  for (const spread of list(at(deployment?.object, 'spec', 'template', 'spec', 'topologySpreadConstraints')))
    agree('topologySpreadConstraint of', at(spread, 'labelSelector', 'matchLabels'));
  findings.expect(at(deployment?.object, 'spec', 'replicas') === undefined, file, `${name}: replicas would undo what the autoscaler did`);
  const target = tree(at(find('HorizontalPodAutoscaler', name)?.object, 'spec', 'scaleTargetRef'));
  findings.expect(target.kind === 'Deployment' && target.name === name, file, `the autoscaler ${name} does not scale ${name}`);
  for (const port of list(at(find('Service', name)?.object, 'spec', 'ports')))
    findings.expect(at(port, 'targetPort') === 'http', file, `the Service ${name} leads to a port other than the public one`);
}

function checkIngress(findings: Findings, find: Find): void {
  const file = 'kubernetes/base/ingress.yaml';
  const paths = list(at(find('Ingress', 'nudge-api')?.object, 'spec', 'rules', 0, 'http', 'paths'));
  checkRouting(
    findings,
    file,
    paths.map((path) => ({
      exact: at(path, 'pathType') === 'Exact',
      path: String(at(path, 'path')),
      to: String(at(path, 'backend', 'service', 'name')).replace('nudge-', ''),
    })),
  );
  const seconds = Number(
    at(find('Ingress', 'nudge-gateway')?.object, 'metadata', 'annotations', 'nginx.ingress.kubernetes.io/proxy-read-timeout'),
  );
  const silentMs = Math.max(...Object.values(defaultHeartbeats).map(({ intervalMs, timeoutMs }) => intervalMs + timeoutMs));
  findings.expect(
    1_000 * seconds > silentMs,
    file,
    `a socket may be silent for ${silentMs} ms, and the ingress ends it after ${seconds} s`,
  );
}

function checkNetwork(findings: Findings, policy: Manifest | undefined, manifests: readonly Manifest[]): void {
  const file = 'kubernetes/base/network-policy.yaml';
  const selector = tree(at(policy?.object, 'spec', 'podSelector', 'matchLabels'));
  for (const manifest of manifests.filter(({ kind }) => kind === 'Deployment')) {
    const labels = tree(at(manifest.object, 'spec', 'template', 'metadata', 'labels'));
    const held = Object.entries(selector).every(([key, value]) => labels[key] === value);
    findings.expect(held && Object.keys(selector).length > 0, file, `the policy does not select the pods of ${manifest.name}`);
  }
  const rules = list(at(policy?.object, 'spec', 'ingress'));
  for (const rule of rules) {
    findings.expect(list(at(rule, 'from')).length > 0, file, 'a rule lets anyone in');
    const ports = list(at(rule, 'ports')).map((entry) => at(entry, 'port'));
    findings.expect(ports.length === 1, file, 'a rule must let one port in, so that the two are never let in to the same');
  }
}
