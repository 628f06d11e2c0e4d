import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Findings } from './findings.ts';
import type { Manifest } from './kubernetes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Grafana publishes types, no schema, with enums where the file has their values and one type for the queries of every data source.
 * The schemas of Kubernetes let unknown fields pass; as literals of the types they do not.
 */
const prelude = `
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
type Plain<T> = T extends string ? (string extends T ? T : \`\${T}\`)
  : T extends { _implementsDataqueryVariant(): void } ? Omit<Dataquery, '_implementsDataqueryVariant'> & { datasource: unknown; refId: string }
  : T extends (infer Item)[] ? Plain<Item>[]
  : T extends object ? { [Key in keyof T]: Plain<T[Key]> }
  : T;
`;

/** Compiles the manifests and the dashboard as literals of their types: an unknown or misplaced field is an error. */
export function checkLiterals(findings: Findings, manifests: readonly Manifest[], dashboard: { file: string; content: unknown }): void {
  const folder = join(root, 'node_modules/.cache', `check-deploy-${process.pid}-${Date.now().toString(36)}`);
  const files = new Map<string, string>();
  mkdirSync(folder, { recursive: true });
  try {
    const write = (at: number, file: string, content: string) => {
      files.set(`${at}.ts`, file);
      writeFileSync(join(folder, `${at}.ts`), content);
    };
    for (const [index, { file, kind, object }] of manifests.entries()) {
      const from = `kubernetes-models/${String(object.apiVersion)}/${kind}`;
      write(index, file, `import type { I${kind} } from '${from}';\nexport const it: I${kind} = ${JSON.stringify(object, null, 1)};\n`);
    }
    write(
      manifests.length,
      dashboard.file,
      `${prelude}export const it: Plain<Dashboard> = ${JSON.stringify(dashboard.content, null, 1)};\n`,
    );
    const compilerOptions = {
      noEmit: true,
      strict: true,
      skipLibCheck: true,
      module: 'preserve',
      target: 'es2024',
      types: [],
      lib: ['es2024'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    const tsc = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder, '--pretty', 'false'], { encoding: 'utf8', cwd: folder });
    for (const line of tsc.stdout.split('\n')) {
      const [, name = '', message = ''] = /^(\S+?)\(\d+,\d+\): error \w+: (.+)$/.exec(line) ?? [];
      if (message !== '') findings.add(files.get(name) ?? name, message);
    }
    if (tsc.status !== 0 && !/error TS/.test(tsc.stdout)) throw new Error(`tsc: ${tsc.stdout}${tsc.stderr}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
