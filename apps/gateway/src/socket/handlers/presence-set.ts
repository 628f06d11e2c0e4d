import type { Handler } from '../handler.ts';

/** The device is in use, or not. The user is online while any of its devices is. */
export const presenceSet: Handler<'presence.set'> = async ({ presence }, session, { status }) => {
  await presence.set(session, status);
  return { ok: true };
};
