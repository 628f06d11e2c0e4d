import { classify } from './errors.ts';
import { Prisma } from './generated/client.ts';
import type { Pool } from './pool.ts';
import { prismaOf } from './prisma-client.ts';

export type KeyKind = 'hs256' | 'rs256' | 'es256' | 'server';

export interface AppKeyInput {
  readonly appId: string;
  /** The full key id of the wire. */
  readonly kid: string;
  readonly kind: KeyKind;
  /** hs256 only. */
  readonly secret?: string | null;
  /** rs256 and es256 only, PEM. */
  readonly publicKey?: string | null;
  /** server keys only: a hash of the secret, never the secret. */
  readonly secretHash?: Buffer | null;
  readonly scopes?: readonly string[];
}

export interface AppKeyRow {
  readonly appId: string;
  readonly kid: string;
  readonly kind: KeyKind;
  readonly secret: string | null;
  readonly publicKey: string | null;
  readonly secretHash: Buffer | null;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
}

export interface AppRow {
  readonly id: string;
  readonly name: string;
  readonly epoch: number;
  /** Custom entry types that count as unread messages. */
  readonly countableTypes: readonly string[];
  readonly sessionPolicy: SessionPolicyRow | undefined;
}

/** How many sessions a user of the app may have, as the settings say. */
export interface SessionPolicyRow {
  readonly maxSessions?: number;
  readonly onePerPlatform?: boolean;
  readonly whenFull?: 'end_oldest' | 'refuse';
}

/** Creates an app with its (empty) log; false when it is there already. */
export async function createApp(pool: Pool, app: { readonly id: string; readonly name?: string }): Promise<boolean> {
  return ordinary(async () => {
    const prisma = prismaOf(pool);
    const { count } = await prisma.app.createMany({ data: [{ id: app.id, name: app.name ?? app.id }], skipDuplicates: true });
    await prisma.appLog.createMany({ data: [{ appId: app.id }], skipDuplicates: true });
    return count === 1;
  });
}

/** Every app with its epoch and what its settings say. */
export function loadApps(pool: Pool): Promise<AppRow[]> {
  return ordinary(async () => {
    const rows = await prismaOf(pool).app.findMany({
      select: { id: true, name: true, epoch: true, settings: true },
      orderBy: { id: 'asc' },
    });
    return rows.map(({ settings, ...app }) => ({
      ...app,
      countableTypes: countableTypesOf(settings),
      sessionPolicy: sessionPolicyOf(settings),
    }));
  });
}

function countableTypesOf(settings: Prisma.JsonValue): string[] {
  const types = asObject(settings)?.countableTypes;
  return Array.isArray(types) ? types.filter((type) => typeof type === 'string') : [];
}

function sessionPolicyOf(settings: Prisma.JsonValue): SessionPolicyRow | undefined {
  const policy = asObject(asObject(settings)?.sessionPolicy);
  if (policy === undefined) return undefined;
  const { maxSessions, onePerPlatform, whenFull } = policy;
  return {
    ...(typeof maxSessions === 'number' ? { maxSessions } : {}),
    ...(typeof onePerPlatform === 'boolean' ? { onePerPlatform } : {}),
    ...(whenFull === 'end_oldest' || whenFull === 'refuse' ? { whenFull } : {}),
  };
}

function asObject(value: Prisma.JsonValue | undefined): Prisma.JsonObject | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
}

/** Adds a key; false when (app, kid) is taken, by a retired key too. */
export async function insertKey(pool: Pool, key: AppKeyInput): Promise<boolean> {
  return ordinary(async () => {
    const { appId, kid, kind, secret = null, publicKey = null, secretHash = null, scopes = [] } = key;
    const data = {
      appId,
      kid,
      kind,
      secret,
      publicKey,
      secretHash: secretHash === null ? null : new Uint8Array(secretHash),
      scopes: [...scopes],
    };
    return (await prismaOf(pool).appKey.createMany({ data: [data], skipDuplicates: true })).count === 1;
  });
}

/** The keys in force of one app, or of all. */
export async function loadKeys(pool: Pool, appId?: string): Promise<AppKeyRow[]> {
  return ordinary(async () => {
    const rows = await prismaOf(pool).appKey.findMany({
      where: { retiredAt: null, ...(appId === undefined ? {} : { appId }) },
      orderBy: [{ appId: 'asc' }, { kid: 'asc' }],
    });
    return rows.map(({ retiredAt: _retiredAt, secretHash, kind, ...row }) => ({
      ...row,
      kind: asKind(kind),
      secretHash: secretHash === null ? null : Buffer.from(secretHash),
    }));
  });
}

/** Everything that tokens and server keys are verified by: apps with their epoch, and the keys in force. */
export async function loadDirectory(pool: Pool): Promise<{ readonly apps: readonly AppRow[]; readonly keys: readonly AppKeyRow[] }> {
  const [apps, keys] = await Promise.all([loadApps(pool), loadKeys(pool)]);
  return { apps, keys };
}

/** Takes a key out of force; false when there is no such key in force. */
export async function retireKey(pool: Pool, appId: string, kid: string): Promise<boolean> {
  return ordinary(async () => {
    const { count } = await prismaOf(pool).appKey.updateMany({ where: { appId, kid, retiredAt: null }, data: { retiredAt: new Date() } });
    return count === 1;
  });
}

function asKind(kind: string): KeyKind {
  if (kind === 'hs256' || kind === 'rs256' || kind === 'es256' || kind === 'server') return kind;
  throw new Error(`an app key has the unknown kind ${kind}`);
}

/** Prisma wraps what the driver threw; a known request error is a bug or a constraint, everything else is classified like `pg`'s own. */
async function ordinary<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Prisma.PrismaClientKnownRequestError || error instanceof Prisma.PrismaClientValidationError) {
      throw UNREACHABLE.has(codeOf(error)) ? classify(new Error('the database cannot be reached', { cause: error })) : error;
    }
    throw classify(error);
  }
}

/** Prisma's codes for a server that is unreachable, timed out, closed the connection, or lent none in time. */
const UNREACHABLE = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'ETIMEDOUT']);

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
