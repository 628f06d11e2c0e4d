import { NudgeError, type ServerIdentity } from '@nudge/server-kit';

/** What a server key may be allowed to do. `*` allows all of it. */
export const serverScopes = [
  'users:read',
  'users:write',
  'tokens:mint',
  'conversations:write',
  'app:write',
  'messages:write',
  'messages:read',
] as const;
export type ServerScope = (typeof serverScopes)[number];

/** Throws `forbidden` when the key lacks the scope. */
export function requireScope(server: ServerIdentity, scope: ServerScope): void {
  if (server.scopes.includes(scope) || server.scopes.includes('*')) return;
  throw new NudgeError('forbidden', { detail: `The server key lacks the scope ${scope}` });
}
