import { parseSync } from 'oxc-parser';

/** One import, re-export or dynamic `import()` of a file. A type-only one is erased before the program runs. */
export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly line: number;
}

/** Every module that `source` names. Throws when it cannot be parsed or loads a module whose name is computed: such a file escapes every rule. */
export function importsOf(path: string, source: string): Import[] {
  const { module, errors } = parseSync(path, source);
  const fault = errors[0];
  if (fault !== undefined) throw new Error(`${path}: ${fault.message}`);
  const lineAt = (offset: number): number => source.slice(0, offset).split('\n').length;
  const found: Import[] = [];
  for (const { moduleRequest, entries, start } of module.staticImports) {
    const typeOnly = entries.length > 0 && entries.every((entry) => entry.isType);
    found.push({ specifier: moduleRequest.value, typeOnly, line: lineAt(start) });
  }
  for (const { entries, start } of module.staticExports) {
    const requested = entries.flatMap((entry) =>
      entry.moduleRequest === null ? [] : [{ specifier: entry.moduleRequest.value, type: entry.isType }],
    );
    const first = requested[0];
    if (first === undefined) continue;
    found.push({ specifier: first.specifier, typeOnly: requested.every((entry) => entry.type), line: lineAt(start) });
  }
  for (const { moduleRequest, start } of module.dynamicImports) {
    const literal = /^(['"])([^'"]+)\1$/.exec(source.slice(moduleRequest.start, moduleRequest.end))?.[2];
    if (literal !== undefined) found.push({ specifier: literal, typeOnly: false, line: lineAt(start) });
  }
  return found;
}
