import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSyncConfig } from '../../apps/sync/src/config.ts';
import { checkDeploy } from './check-deploy.ts';
import { type KnownMetrics, knownMetrics } from './known-metrics.ts';

const deploy = fileURLToPath(new URL('../../deploy', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'nudge-deploy-'));
let known: KnownMetrics;
beforeAll(async () => {
  known = await knownMetrics();
}, 120_000);
afterAll(() => rmSync(work, { recursive: true, force: true }));

it('the files as they are hold', async () => {
  expect((await checkDeploy(deploy, known)).problems).toEqual([]);
}, 120_000);

/** file, what is replaced in it, by what, and what is then said. */
const faults: readonly (readonly [file: string, from: string, to: string, said: string])[] = [
  ['image/Dockerfile', 'USER node', 'USER root', 'a user other than root'],
  ['image/Dockerfile', 'CMD ["apps/api/src/main.ts"]', 'CMD apps/api/src/main.ts', 'CMD must be in the exec form'],
  ['image/Dockerfile', 'STOPSIGNAL SIGTERM', 'STOPSIGNL SIGTERM', 'Unknown instruction: STOPSIGNL'],
  ['image/Dockerfile', 'EXPOSE 8080 9464', 'EXPOSE 8080', 'EXPOSE must name PORT and OPS_PORT'],
  ['image/Dockerfile', 'COPY prisma ', 'COPY prismo ', 'COPY prismo: there is no such file'],
  ['compose/compose.yaml', 'restart: unless-stopped', 'restrt: unless-stopped', 'must NOT have additional properties'],
  [
    'compose/compose.yaml',
    'test: [CMD, node, healthcheck.mjs, "9464"]',
    'test: [CMD, node, healthcheck.mjs, "9465"]',
    'must ask the operations port',
  ],
  [
    'compose/compose.yaml',
    'DRAIN_DEADLINE_MS: "15000"',
    'DRAIN_DEADLINE_MS: "45000"',
    'stop_grace_period must be longer than the 52000 ms',
  ],
  ['compose/compose.yaml', 'LOG_LEVEL: info', 'LOG_LEVEL: loud', 'LOG_LEVEL takes one of'],
  ['compose/compose.yaml', 'LOG_LEVEL: info', 'LOG_LEVLE: info', 'nothing reads LOG_LEVLE'],
  ['compose/compose.yaml', 'POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password', 'POSTGRES_PASSWORD: nudge', 'is in the open'],
  ['compose/compose.yaml', '["127.0.0.1:4101:8080"]', '["4101:8080"]', 'published beyond this machine'],
  ['compose/compose.yaml', '[scripts/migrate.ts]', '[scripts/migrat.ts]', 'there is no scripts/migrat.ts'],
  ['compose/compose.redis-cluster.yaml', 'redis-6: *healthy', 'redis-7: *healthy', 'there is no redis-7 among services'],
  ['compose/nginx.conf', 'server sync-2:8080', 'server sync-3:8080', 'no service listens there'],
  ['compose/nginx.conf', 'location = /v1/me/unread', 'location = /v1/me/read', '/v1/me/unread goes to api, not to sync'],
  ['compose/nginx.conf', 'listen 8080;', 'listen 8080', 'compose/nginx.conf: '],
  ['compose/make-secrets.sh', 'exit 1\nfi', 'exit 1', 'compose/make-secrets.sh: '],
  ['kubernetes/base/gateway.yaml', 'livenessProbe:', 'livenesProbe:', 'livenesProbe'],
  ['kubernetes/base/gateway.yaml', 'path: /readyz', 'path: /healthz', 'its readinessProbe must ask the operations port for /readyz'],
  ['kubernetes/base/api.yaml', 'containerPort: 8080', 'containerPort: 8081', 'its ports must be PORT (http)'],
  ['kubernetes/base/api.yaml', 'containerPort: 8080', 'containerPort: web', 'must be integer'],
  [
    'kubernetes/base/sync.yaml',
    'maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: nudge',
    'maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: nudges',
    'PodDisruptionBudget nudge-sync does not select its pods',
  ],
  [
    'kubernetes/base/gateway.yaml',
    'terminationGracePeriodSeconds: 60',
    'terminationGracePeriodSeconds: 45',
    'must be more than the 52000 ms of preStop and stop',
  ],
  ['kubernetes/base/config.yaml', 'DRAIN_SPREAD_MS: "20000"', 'DRAIN_SPREAD_MS: "long"', 'DRAIN_SPREAD_MS takes a whole number'],
  ['kubernetes/base/config.yaml', 'TRUST_PROXY: 10.244.0.0/16', 'TRUST_PROXY: everyone', 'TRUST_PROXY takes addresses'],
  ['kubernetes/base/ingress.yaml', 'proxy-read-timeout: "900"', 'proxy-read-timeout: "60"', 'the ingress ends it after 60 s'],
  [
    'kubernetes/base/network-policy.yaml',
    'app.kubernetes.io/name: nudge',
    'app.kubernetes.io/name: other',
    'does not select the pods of nudge-api',
  ],
  ['kubernetes/base/service-account.yaml', 'name: nudge', 'name: other', 'there is no service account nudge'],
  ['kubernetes/base/kustomization.yaml', '  - api.yaml\n', '', 'api.yaml is not named'],
  [
    'kubernetes/migrate/job.yaml',
    'readOnlyRootFilesystem: true',
    'readOnlyRootFilesystem: false',
    'the root file system must be read-only',
  ],
  ['prometheus/rules.yaml', 'nudge_appends_unanswered', 'nudge_appends_unknown', 'nothing registers nudge_appends_unknown'],
  ['prometheus/rules.yaml', 'sum by (instance, code)', 'sum by (instance, reason)', 'none of its metrics carries the label reason'],
  ['prometheus/rules.yaml', 'job="nudge-gateway"', 'job="nudge-gateways"', 'no job is called nudge-gateways'],
  ['prometheus/rules.yaml', 'min by (job) (nudge_redis_up) == 0', 'min by (job) (nudge_redis_up == 0', 'syntax error'],
  ['prometheus/prometheus.yaml', 'gateway-2:9464', 'gateway-2:8080', 'is no operations port'],
  ['grafana/dashboard.json', 'nudge_redis_up', 'nudge_redis_upp', 'nothing registers nudge_redis_upp'],
  ['grafana/dashboard.json', '"schemaVersion": 39', '"schemaVersion": "39"', "not assignable to type 'number'"],
  ['grafana/dashboard.json', '"description": "Resident"', '"descriptoin": "Resident"', 'descriptoin'],
];

/** Copies with at most one fault in each file, because one look at a whole copy takes seconds. */
const copies: (typeof faults)[number][][] = [];
for (const fault of faults) {
  const free = copies.find((copy) => copy.every(([file]) => file !== fault[0]));
  if (free === undefined) copies.push([fault]);
  else free.push(fault);
}

describe('every fault is found', () => {
  it.each(copies.map((copy, index) => ({ index, copy })))(
    'in copy $index',
    async ({ copy }) => {
      const dir = mkdtempSync(join(work, 'copy-'));
      cpSync(deploy, dir, { recursive: true });
      for (const [file, from, to] of copy) {
        const text = readFileSync(join(dir, file), 'utf8');
        expect(text, file).toContain(from);
        writeFileSync(join(dir, file), text.replace(from, to));
      }
      const { problems } = await checkDeploy(dir, known);
      for (const [file, , , said] of copy) expect(problems.join('\n'), file).toContain(said);
    },
    60_000,
  );
});

it('the secrets made are such that the processes start with them, and are not made twice', () => {
  const dir = join(work, 'secrets');
  const make = () => spawnSync('sh', [join(deploy, 'compose/make-secrets.sh'), dir], { encoding: 'utf8' });
  expect(make()).toMatchObject({ status: 0, stderr: '' });
  const one = parseEnv(readFileSync(join(dir, 'nudge.env'), 'utf8'));
  expect(readSyncConfig({ ...one, OPS_HOST: '0.0.0.0' }).process.redisUrl).toMatch(/^redis:\/\/:[0-9a-f]{48}@redis:6379$/);
  const many = parseEnv(readFileSync(join(dir, 'nudge-cluster.env'), 'utf8'));
  expect(readSyncConfig({ ...many, OPS_HOST: '0.0.0.0' }).process.redisUrl).toMatch(/^redis\+cluster:/);
  expect(one.OPS_TOKEN).toBe(readFileSync(join(dir, 'ops_token'), 'utf8'));
  expect(make()).toMatchObject({ status: 1 });
});
