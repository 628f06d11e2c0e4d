import { banFromApp, type Pool, recordSessionKick, revokeTokens, tokenCutOff, unbanFromApp } from '@nudge/db';
import type { Restriction } from '@nudge/server-kit';

/** Which sessions of a user end. */
export interface KickedSessions {
  readonly sessionId?: string;
  readonly exceptId?: string;
  readonly deviceId?: string;
}

/** What stands against users of an app. Times in ms since 1970. */
export interface RestrictionStore {
  /** Refuses every token issued until now. */
  revokeTokens(appId: string, userId: string): Promise<Restriction>;
  /** `until` null is for ever. */
  ban(appId: string, userId: string, until: Date | null): Promise<Restriction>;
  /** Null when there was no ban. */
  unban(appId: string, userId: string): Promise<Restriction | null>;
  /** Tokens issued before are refused; null when none are, undefined when there is no such user. */
  tokenCutOff(appId: string, userId: string): Promise<number | null | undefined>;
  /** Ends the session that is named, else all of the user's, or of the device, that began until now, but for the one that is excepted. */
  kick(appId: string, userId: string, which: KickedSessions): Promise<void>;
}

/** On one PostgreSQL. */
export function createRestrictionStore(pool: Pool): RestrictionStore {
  return {
    revokeTokens: (appId, userId) => revokeTokens(pool, appId, userId),
    ban: (appId, userId, until) => banFromApp(pool, appId, userId, until),
    unban: (appId, userId) => unbanFromApp(pool, appId, userId),
    tokenCutOff: (appId, userId) => tokenCutOff(pool, appId, userId),
    kick: (appId, userId, which) => recordSessionKick(pool, appId, userId, which),
  };
}
