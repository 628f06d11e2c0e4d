import type { TestDatabase } from '../../../support/database.ts';
import { type Child, startChild } from '../../../support/process.ts';

export type AppName = 'api' | 'sync' | 'gateway' | 'standalone';

/** An app as its operator runs it: the launcher, in a process of its own. Disposing kills it. */
export interface AppProcess extends AsyncDisposable {
  readonly child: Child;
  readonly url: string;
  readonly opsUrl: string;
  /** On the operations port. */
  ops(method: string, path: string, body?: unknown): Promise<Response>;
}

/** Starts the launcher of an app on free ports. */
export function launch(app: AppName, env: Readonly<Record<string, string>> = {}): Promise<Child> {
  const script = new URL(`../../../../apps/${app}/src/main.ts`, import.meta.url).pathname;
  return startChild({ script, env: { PORT: '0', LOG_FORMAT: 'json', NODE_ENV: 'test', ...env } });
}

/** The same on a database, and waits until it listens. */
export async function startApp(
  app: Exclude<AppName, 'standalone'>,
  database: TestDatabase,
  env: Readonly<Record<string, string>> = {},
): Promise<AppProcess> {
  const child = await launch(app, { DATABASE_URL: database.connectionString, ...env });
  try {
    const [line] = await child.waitForLine(/^\{.*"msg":"listening"\}$/);
    const { url, opsUrl } = JSON.parse(line) as { url: string; opsUrl: string };
    return { child, url, opsUrl, ops: caller(opsUrl), [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}

/** Requests to an operations port without a token. */
export function caller(opsUrl: string): AppProcess['ops'] {
  return (method, path, body) =>
    fetch(opsUrl + path, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
}
