import { readdir, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';

/** A file as a browser gets it. */
export interface BrowserFile {
  readonly contentType: string;
  readonly content: string;
}

const SCRIPT = 'text/javascript; charset=utf-8';

/** Bare names of imports and where the page finds them. */
const modules: Readonly<Record<string, string>> = {
  '@nudge/client': '/demo/client/index.ts',
  'socket.io-client': '/demo/socket.io.js',
};

/** TypeScript as a browser runs it: types blanked out, bare imports pointed at what this server serves. No bundler, no build. */
export function toBrowserScript(source: string): string {
  const script = stripTypeScriptTypes(source);
  return script.replace(/(\bfrom\s+|\bimport\s*\(\s*)(['"])([^'"./][^'"]*)\2/g, (whole, lead: string, quote: string, name: string) => {
    const place = modules[name];
    return place === undefined ? whole : `${lead}${quote}${place}${quote}`;
  });
}

async function text(url: URL): Promise<string> {
  return readFile(url, 'utf8');
}

/** Everything the demo page consists of, by path: the page, its scripts, the client package and socket.io's own browser build. */
export async function readPageFiles(): Promise<ReadonlyMap<string, BrowserFile>> {
  const own = new URL('./public/', import.meta.url);
  const client = new URL('.', import.meta.resolve('@nudge/client'));
  const socketIo = new URL(
    '../dist/socket.io.esm.min.js',
    import.meta.resolve('socket.io-client/package.json').replace(/package\.json$/, 'dist/'),
  );
  const files = new Map<string, BrowserFile>([
    ['/', { contentType: 'text/html; charset=utf-8', content: await text(new URL('index.html', own)) }],
    ['/demo/demo.css', { contentType: 'text/css; charset=utf-8', content: await text(new URL('demo.css', own)) }],
    ['/demo/socket.io.js', { contentType: SCRIPT, content: (await text(socketIo)).replace(/\n\/\/# sourceMappingURL=.*$/, '') }],
  ]);
  for (const name of await readdir(fileURLToPath(own))) {
    if (name.endsWith('.ts')) files.set(`/demo/${name}`, { contentType: SCRIPT, content: toBrowserScript(await text(new URL(name, own))) });
  }
  for (const name of await readdir(fileURLToPath(client), { recursive: true })) {
    if (!name.endsWith('.ts') || /\.(test|fixture)\.ts$/.test(name)) continue;
    files.set(`/demo/client/${name}`, { contentType: SCRIPT, content: toBrowserScript(await text(new URL(name, client))) });
  }
  return files;
}
