import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** What someone needs to try the server: written to `<DATA_DIR>/demo.json` at every start, with fresh tokens. */
export interface DemoSession {
  readonly url: string;
  /** The operations port. */
  readonly opsUrl: string;
  /** How a client finds its gateway where not everything is at `url`. */
  readonly gateways?: 'dispatcher';
  readonly serverKey: string;
  readonly conversationId: string;
  readonly users: readonly { readonly id: string; readonly token: string }[];
}

/** Writes the session where only the owner can read it. Whoever sees the file sees all of it. Returns its path. */
export async function writeDemoSession(dataDir: string, session: DemoSession): Promise<string> {
  const path = join(dataDir, 'demo.json');
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(`${JSON.stringify(session, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  return path;
}
