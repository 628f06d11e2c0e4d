import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { describe, expect, it } from 'vitest';

const folder = new URL('./', import.meta.url);
const sources = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));

/** Browsers get these files with their types blanked out and nothing else done: no bundler finds a package or a Node module for them. */
describe('in a browser', () => {
  it.each(sources)('%s runs with its types stripped and imports nothing but its neighbours and socket.io-client', (name) => {
    const script = stripTypeScriptTypes(readFileSync(new URL(name, folder), 'utf8'));
    const imports = [...script.matchAll(/\bfrom\s+'([^']+)'|\bimport\s*\(?\s*'([^']+)'/g)].map(([, from, bare]) => from ?? bare ?? '');
    for (const target of imports) {
      if (target === 'socket.io-client') continue;
      expect(target).toMatch(/^\.\/[a-z-]+\.ts$/);
      expect(sources).toContain(target.slice(2));
    }
    expect(script).not.toMatch(/\b(process|Buffer|setImmediate)\b|\brequire\(/);
  });
});
