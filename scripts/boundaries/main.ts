/** `npm run check:boundaries`: fails when an import goes against the dependency direction. */
import { globSync, readFileSync } from 'node:fs';
import { violationsOf, type Workspaces } from './violations.ts';

const skipped = /(^|\/)(node_modules|dist|generated)(\/|$)/;
const folders = ['apps/*', 'packages/*', 'prisma', 'tests', 'bench'];

function workspaces(): Workspaces {
  const manifests = globSync(folders.map((folder) => `${folder}/package.json`));
  return new Map(
    manifests.map((file) => [(JSON.parse(readFileSync(file, 'utf8')) as { name: string }).name, file.replace('/package.json', '')]),
  );
}

const files = globSync('{apps,packages,prisma,tests,bench,scripts}/**/*.ts', { exclude: (path) => skipped.test(path) });
const known = workspaces();
const violations = files.flatMap((file) => violationsOf(file, readFileSync(file, 'utf8'), known));
for (const { at, rule, what } of violations) console.error(`${at}  ${rule}  ${what}`);
console.log(`boundaries: ${files.length} files, ${violations.length} violations`);
if (violations.length > 0 || files.length === 0) process.exitCode = 1;
