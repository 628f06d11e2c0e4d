import type { Handler } from '../handler.ts';

/** Hears a conversation's keys at once and its ephemeral events; each id is accepted or refused by itself. */
export const watch: Handler<'watch'> = async ({ watches }, session, { conversationIds }) => {
  const { heads, refused } = await watches.watch(session, conversationIds);
  return { ok: true, heads, refused };
};
