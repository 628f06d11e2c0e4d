/** `npm run check:packages`: builds and packs the published packages, installs the tarballs in an empty project and imports them from JavaScript and from TypeScript. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const published = { '@nudge/types': 'packages/types', '@nudge/client': 'packages/client' };

const run = (command: string, args: string[], cwd = '.'): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

run('npm', ['run', '--silent', 'build']);
const project = mkdtempSync(join(tmpdir(), 'nudge-packages-'));
try {
  const tarballs = Object.values(published).map((folder) => {
    const [packed] = JSON.parse(run('npm', ['pack', '--json', '--silent', '--pack-destination', project], folder)) as {
      filename: string;
    }[];
    if (packed === undefined) throw new Error(`${folder}: npm pack made nothing`);
    return join(project, packed.filename);
  });
  const names = Object.keys(published);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--silent', ...tarballs], project);
  const count = (name: string, index: number) =>
    `import * as m${index} from '${name}';\nif (Object.keys(m${index}).length === 0) throw new Error('${name} exports nothing');\n`;
  writeFileSync(join(project, 'consumer.js'), names.map(count).join(''));
  run(process.execPath, ['consumer.js'], project);
  writeFileSync(join(project, 'consumer.ts'), names.map(count).join(''));
  const options = [
    '--strict',
    '--noEmit',
    '--target',
    'es2024',
    '--module',
    'nodenext',
    '--lib',
    'es2024,esnext.disposable,dom',
    '--types',
    '',
  ];
  run(resolve('node_modules/.bin/tsc'), [...options, 'consumer.ts'], project);
  console.log(`packages: ${names.join(', ')} install and import outside of the repository`);
} finally {
  rmSync(project, { recursive: true, force: true });
}
