import { NudgeError } from '@nudge/server-kit';
import type { Handler } from '../handler.ts';

/** A new token for the same user of the same app; the session goes on until that one expires. */
export const reauth: Handler<'reauth'> = async ({ tokens, revocations, admit, sessions }, session, { token }) => {
  const identity = tokens.verify(token);
  if (identity.appId !== session.appId || identity.userId !== session.userId) {
    throw new NudgeError('token_invalid', {
      detail: 'the token is of another user',
    });
  }
  await admit(identity);
  if (revocations.isRevoked(identity.appId, identity.userId, identity.issuedAt)) throw new NudgeError('token_revoked');
  sessions.renew(session, identity);
  return { ok: true, expiresAt: new Date(identity.expiresAt).toISOString() };
};
