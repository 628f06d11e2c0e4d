import { at, type Findings, list, type Tree, tree } from './findings.ts';
import type { ImageFacts } from './image.ts';
import type { Manifest } from './kubernetes.ts';
import { checkProcess } from './processes.ts';

const probes = { startupProbe: '/healthz', livenessProbe: '/healthz', readinessProbe: '/readyz' };

/** The pod that an object makes, if it makes any. */
export function podOf({ object }: Manifest): Tree | undefined {
  const spec = at(object, 'spec', 'template', 'spec');
  return spec === undefined ? undefined : tree(spec);
}

/** A pod of Nudge: what it may do, what it is configured by, how it is asked and how it ends. */
export function checkPod(findings: Findings, manifest: Manifest, manifests: readonly Manifest[], image: ImageFacts): void {
  const { file, name } = manifest;
  const pod = podOf(manifest) ?? {};
  const container = tree(at(pod, 'containers', 0));
  const secure = tree(container.securityContext);
  const expect = (condition: boolean, message: string) => findings.expect(condition, file, `${name}: ${message}`);
  expect(at(pod, 'securityContext', 'runAsNonRoot') === true, 'must not run as root');
  expect(secure.readOnlyRootFilesystem === true, 'the root file system must be read-only');
  expect(secure.allowPrivilegeEscalation === false, 'must not gain privileges');
  expect(list(at(secure, 'capabilities', 'drop')).includes('ALL'), 'must drop all capabilities');
  expect(pod.automountServiceAccountToken === false, 'must not hold a token of the cluster');
  const account = manifests.some(({ kind, name: other }) => kind === 'ServiceAccount' && other === pod.serviceAccountName);
  expect(account, `there is no service account ${String(pod.serviceAccountName)}`);
  expect(at(container, 'resources', 'requests', 'memory') !== undefined, 'must say how much memory it asks for');
  const mounts = list(container.volumeMounts).map((mount) => `${String(at(mount, 'name'))} ${String(at(mount, 'mountPath'))}`);
  expect(mounts.includes('env /run/secrets'), 'lacks the secret at /run/secrets');

  const stopMs = checkProcess(findings, {
    file,
    name,
    main: String(at(container, 'args', 0)),
    env: { ...image.env, ...environment(findings, manifest, container, manifests) },
  });
  if (manifest.kind !== 'Deployment') return;
  const ports = Object.fromEntries(list(container.ports).map((port) => [String(at(port, 'name')), String(at(port, 'containerPort'))]));
  expect(
    ports.http === image.env.PORT && ports.ops === image.env.OPS_PORT,
    'its ports must be PORT (http) and OPS_PORT (ops) of the image',
  );
  for (const [probe, path] of Object.entries(probes)) {
    const get = tree(at(container, probe, 'httpGet'));
    expect(get.port === 'ops' && get.path === path, `its ${probe} must ask the operations port for ${path}`);
  }
  const preStop = Number(at(container, 'lifecycle', 'preStop', 'sleep', 'seconds') ?? 0);
  expect(preStop > 0, 'needs a preStop pause, in which balancers learn that it ends');
  const graceMs = 1_000 * Number(pod.terminationGracePeriodSeconds ?? 30);
  const needed = 1_000 * preStop + (stopMs ?? 0);
  expect(graceMs > needed, `terminationGracePeriodSeconds must be more than the ${needed} ms of preStop and stop`);
}

function environment(
  findings: Findings,
  { file, name }: Manifest,
  container: Tree,
  manifests: readonly Manifest[],
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const source of list(container.envFrom)) {
    const map = String(at(source, 'configMapRef', 'name'));
    const found = manifests.find((manifest) => manifest.kind === 'ConfigMap' && manifest.name === map);
    if (found === undefined) findings.add(file, `${name}: there is no ConfigMap ${map}`);
    for (const [variable, value] of Object.entries(tree(at(found?.object, 'data')))) env[variable] = String(value);
  }
  for (const entry of list(container.env)) env[String(at(entry, 'name'))] = String(at(entry, 'value'));
  return env;
}
