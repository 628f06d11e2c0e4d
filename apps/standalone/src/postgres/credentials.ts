import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from './errors.ts';

/** Passwords of the two roles, url-safe. The application never connects as the superuser. */
export interface Credentials {
  /** Role `postgres`, superuser. */
  readonly adminPassword: string;
  /** Role `nudge`, owner of the database `nudge`, without any other right. */
  readonly password: string;
}

/** Reads `<dataDir>/credentials.json`, or undefined when it is not there or is torn. */
export async function readCredentials(dataDir: string): Promise<Credentials | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(credentialsPath(dataDir), 'utf8'));
    return isCredentials(value) ? value : undefined;
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Fresh random passwords, not stored yet. */
export function newCredentials(): Credentials {
  return { adminPassword: newPassword(), password: newPassword() };
}

/** Stores passwords durably, readable by the calling user only. */
export async function storeCredentials(dataDir: string, credentials: Credentials): Promise<void> {
  const path = credentialsPath(dataDir);
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(`${JSON.stringify(credentials, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

function credentialsPath(dataDir: string): string {
  return join(dataDir, 'credentials.json');
}

function newPassword(): string {
  return randomBytes(24).toString('base64url');
}

function isCredentials(value: unknown): value is Credentials {
  return (
    typeof value === 'object' &&
    value !== null &&
    'adminPassword' in value &&
    isPassword(value.adminPassword) &&
    'password' in value &&
    isPassword(value.password)
  );
}

/** The alphabet matters: passwords are put between quotes in SQL and into connection strings. */
function isPassword(value: unknown): boolean {
  return typeof value === 'string' && /^[\w-]{16,}$/.test(value);
}
