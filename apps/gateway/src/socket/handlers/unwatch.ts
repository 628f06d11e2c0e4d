import type { Handler } from '../handler.ts';

/** Ends watching; ids that were not watched are no error. */
export const unwatch: Handler<'unwatch'> = ({ watches, typing }, session, { conversationIds }) => {
  for (const id of conversationIds) {
    const watched = session.watches?.get(id);
    if (watched !== undefined) typing.ended(session, watched);
  }
  watches.unwatch(session, conversationIds);
  return { ok: true };
};
