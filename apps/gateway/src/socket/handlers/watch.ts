import type { Handler } from '../handler.ts';

/** Hears a conversation's keys at once and its ephemeral events, which need to be known from whom they may come; each id is accepted or refused by itself. */
export const watch: Handler<'watch'> = async ({ watches, relations }, session, { conversationIds }) => {
  if (session.relation !== undefined) await relations.ready(session.relation);
  const { heads, refused } = await watches.watch(session, conversationIds);
  return { ok: true, heads, refused };
};
