import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

/** Collects what is wrong with the files of one deploy folder. */
export class Findings {
  readonly dir: string;
  readonly problems: string[] = [];

  constructor(dir: string) {
    this.dir = dir;
  }

  /** Notes a problem of a file, which is named from the folder on. */
  add(file: string, message: string): void {
    this.problems.push(`${file}: ${message}`);
  }

  expect(condition: boolean, file: string, message: string): void {
    if (!condition) this.add(file, message);
  }

  read(file: string): string {
    return readFileSync(join(this.dir, file), 'utf8');
  }

  /** The documents of a YAML file, or none when it cannot be read. Duplicate keys and unknown anchors are errors. */
  yaml(file: string): unknown[] {
    const documents = parseAllDocuments(this.read(file), { merge: true });
    const errors = documents.flatMap((document) => [...document.errors, ...document.warnings]);
    for (const error of errors) this.add(file, error.message);
    return errors.length > 0 ? [] : documents.map((document) => document.toJS() as unknown);
  }
}

export type Tree = { readonly [key: string]: unknown };

/** A value as an object; an empty one when it is none. */
export function tree(value: unknown): Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Tree) : {};
}

/** A value as a list; an empty one when it is none. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** What lies at a path of keys and indexes. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((from, key) => (typeof key === 'number' ? list(from)[key] : tree(from)[key]), value);
}

/** Whether two plain values say the same, whatever the order of their keys. */
export function same(a: unknown, b: unknown): boolean {
  return text(a) === text(b);
}

function text(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    Array.isArray(inner) || typeof inner !== 'object' || inner === null
      ? inner
      : Object.fromEntries(Object.entries(inner).toSorted(([x], [y]) => (x < y ? -1 : 1))),
  );
}
