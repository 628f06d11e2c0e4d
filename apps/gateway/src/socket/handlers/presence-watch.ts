import type { Handler } from '../handler.ts';

/** Replaces the list of users whose presence is heard; answers how they are now. */
export const presenceWatch: Handler<'presence.watch'> = async ({ presence, relations }, session, { userIds }) => {
  if (session.relation !== undefined) await relations.ready(session.relation);
  return { ok: true, presence: await presence.watch(session, userIds) };
};
