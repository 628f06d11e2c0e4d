import type { Pool } from '../pool.ts';
import { run, type Statement } from '../statement.ts';
import { isTombstone } from './columns.ts';

/** What one user has put on a message, in the order of time. */
export interface OwnReactions {
  readonly conversationId: string;
  readonly seq: number;
  readonly emojis: string[];
}

/**
 * Index: `reaction_pkey`, one range per entry; `entry_pkey` only for an entry with a reaction, which an expired one no longer shows.
 * No lock. Rejected: the users of the folded reactions (only the first ten of each emoji).
 */
const statement: Statement = {
  name: 'own_reactions',
  text: `select u.conv as "conversationId", u.seq, x.emojis
    from unnest($2::uuid[], $3::bigint[]) u (conv, seq)
    cross join lateral (
      select array_agg(r.emoji order by r.created_at, r.emoji) as emojis from reaction r
      where r.conversation_id = u.conv and r.seq = u.seq and r.user_id = $1 offset 0) x
    where x.emojis is not null
      and exists (select from entry e where e.conversation_id = u.conv and e.seq = u.seq and not coalesce(${isTombstone('e')}, false))`,
};

/** The user's own reactions to the entries named, of any number of conversations; entries without any have no row. In no particular order. */
export function ownReactions(
  pool: Pool,
  userId: string,
  requests: readonly { readonly conversationId: string; readonly seqs: readonly number[] }[],
): Promise<OwnReactions[]> {
  const pairs = requests.flatMap(({ conversationId, seqs }) => seqs.map((seq) => ({ conversationId, seq })));
  if (pairs.length === 0) return Promise.resolve([]);
  return run<OwnReactions & Record<string, unknown>>(pool, statement, [
    userId,
    pairs.map((pair) => pair.conversationId),
    pairs.map((pair) => pair.seq),
  ]);
}
