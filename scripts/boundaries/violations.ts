import { isBuiltin } from 'node:module';
import { dirname, join, normalize } from 'node:path/posix';
import { importsOf } from './imports.ts';
import { rules } from './rules.ts';

export interface Violation {
  readonly at: string;
  readonly rule: string;
  readonly what: string;
}

/** Where our own packages live: `@nudge/types` -> `packages/types`. */
export type Workspaces = ReadonlyMap<string, string>;

/** The rules that the imports of one file break. `path` is relative to the repository, with `/`. */
export function violationsOf(path: string, source: string, workspaces: Workspaces): Violation[] {
  return importsOf(path, source).flatMap(({ specifier, typeOnly, line }) => {
    const edge = { from: path, to: resolve(path, specifier, workspaces), typeOnly };
    return rules
      .filter((rule) => rule.forbids(edge))
      .map((rule) => ({ at: `${path}:${line}`, rule: rule.name, what: `imports '${specifier}': ${rule.why}` }));
  });
}

function resolve(from: string, specifier: string, workspaces: Workspaces): string {
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier));
  if (isBuiltin(specifier)) return specifier.startsWith('node:') ? specifier : `node:${specifier}`;
  const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  const folder = workspaces.get(name);
  return folder === undefined ? `npm:${name}` : `${folder}/src/index.ts`;
}
