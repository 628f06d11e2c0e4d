import { type Presence, type PresenceStatus, presenceStatusSchema } from '@nudge/types';
import type { SessionRecord } from '../session-registry.ts';
import { parseJson } from './parse-json.ts';

/** Before the session's id in the fields of a user's hash. */
const fieldPrefix = 's:';
/** The field that says when the user was last seen, ms. */
const seenField = 'seen';

/** The last time that a date can say, ms. */
const lastTime = 8.64e15;

export const fieldOf = (sessionId: string): string => `${fieldPrefix}${sessionId}`;

/** A record as it is stored: `h` for hidden or `v` for visible, then JSON. `lease` is the one its gateway held when it was put. */
export function encodeRecord(record: SessionRecord, lease: string): string {
  const { deviceId, gatewayId, status, connectedAt, hidden, platform } = record;
  return `${hidden ? 'h' : 'v'}${JSON.stringify([deviceId, gatewayId, status, connectedAt, lease, ...(platform === undefined ? [] : [platform])])}`;
}

type StoredRecord = [deviceId: string, gatewayId: string, status: PresenceStatus, connectedAt: number, lease: string, platform?: string];

/** What {@link encodeRecord} wrote; undefined for what it cannot have written. */
function decodeRecord(text: string): StoredRecord | undefined {
  const stored = parseJson(text.slice(1));
  if (!Array.isArray(stored)) return undefined;
  const [deviceId, gatewayId, status, connectedAt, lease, platform] = stored as unknown[];
  const isRecord =
    [deviceId, gatewayId, lease].every((part) => typeof part === 'string') &&
    presenceStatusSchema.safeParse(status).success &&
    typeof connectedAt === 'number' &&
    (platform === undefined || typeof platform === 'string');
  return isRecord ? (stored as StoredRecord) : undefined;
}

/** Gateway leases, by their end, and what time it is there, ms. */
export interface Leases {
  readonly now: number;
  readonly ends: ReadonlyMap<string, number>;
}

export function decodeLeases(answer: unknown): Leases {
  if (!Array.isArray(answer)) throw new TypeError('The lease script answered something else');
  const [now, ...rest] = answer;
  const ends = new Map<string, number>();
  for (let at = 0; at + 1 < rest.length; at += 2) ends.set(String(rest[at]), Number(rest[at + 1]));
  return { now: Number(now), ends };
}

/** What is stored of a user, judged by the leases. */
export interface UserState {
  readonly live: readonly SessionRecord[];
  /** Fields and records of gateways that are gone, and what is no record. */
  readonly dead: readonly (readonly [field: string, record: string])[];
  /** The end of the last dead gateway, if the user does not hide; else undefined. */
  readonly deadSince: number | undefined;
  /** Stored or inferred; undefined of one who hides. */
  readonly lastSeenAt: number | undefined;
}

export function readUser(appId: string, userId: string, hash: Readonly<Record<string, string>>, leases: Leases): UserState {
  const live: SessionRecord[] = [];
  const dead: [string, string][] = [];
  let diedAt = 0;
  let hides = false;
  for (const [field, text] of Object.entries(hash)) {
    if (!field.startsWith(fieldPrefix)) continue;
    const record = decodeRecord(text);
    if (record === undefined) {
      dead.push([field, text]);
      continue;
    }
    const [deviceId, gatewayId, status, connectedAt, lease, platform] = record;
    const hidden = text.startsWith('h');
    hides ||= hidden;
    const end = leases.ends.get(lease);
    if (end !== undefined && end > leases.now) {
      const sessionId = field.slice(fieldPrefix.length);
      live.push({
        appId,
        userId,
        deviceId,
        sessionId,
        gatewayId,
        status,
        connectedAt,
        hidden,
        ...(platform === undefined ? {} : { platform }),
      });
    } else {
      dead.push([field, text]);
      diedAt = Math.max(diedAt, end ?? 0);
    }
  }
  live.sort((a, b) => a.connectedAt - b.connectedAt);
  const deadSince = hides || diedAt === 0 ? undefined : diedAt;
  const stored = Number(hash[seenField] ?? 0);
  const seen = Math.max(stored > 0 && stored <= lastTime ? stored : 0, deadSince ?? 0);
  return { live, dead, deadSince, lastSeenAt: seen === 0 ? undefined : seen };
}

/** What others, or the user itself, may know of it. */
export function presenceOf(userId: string, { live, lastSeenAt }: UserState, toItself: boolean): Presence {
  if (!toItself && live.some((record) => record.hidden)) return { userId, status: 'offline' };
  if (live.some((record) => record.status === 'online')) return { userId, status: 'online' };
  if (live.some((record) => record.status === 'away')) return { userId, status: 'away' };
  return { userId, status: 'offline', ...(lastSeenAt === undefined ? {} : { lastSeenAt: new Date(lastSeenAt).toISOString() }) };
}
