import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { describe, expect, it } from 'vitest';

const folder = new URL('./', import.meta.url);
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.startsWith('fixtures'),
);

/** Browsers get these files with their types blanked out and nothing else done: no bundler finds a package or a Node module for them. */
describe('in a browser', () => {
  it.each(sources)('%s runs with its types stripped and imports nothing but its neighbours and socket.io-client', (name) => {
    const script = stripTypeScriptTypes(readFileSync(new URL(name, folder), 'utf8'));
    const imports = [...script.matchAll(/\bfrom\s+'([^']+)'|\bimport\s*\(?\s*'([^']+)'/g)].map(([, from, bare]) => from ?? bare ?? '');
    for (const target of imports) {
      if (target === 'socket.io-client') continue;
      expect(target).toMatch(/^\.{1,2}\/([a-z-]+\/)?[a-z-]+\.ts$/);
      expect(sources).toContain(new URL(target, new URL(name, folder)).pathname.slice(folder.pathname.length));
    }
    expect(script).not.toMatch(/\b(process|Buffer|setImmediate)\b|\brequire\(/);
  });
});
