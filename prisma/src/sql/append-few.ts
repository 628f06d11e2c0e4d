import type { Statement } from '../statement.ts';
import { appendColumns } from './append-columns.ts';

/**
 * Two to {@link FEW} plain messages without `extra`, one transaction, one outbox row: function `append_few` (migrations/20261121000030_append_few).
 *
 * Locks: conversations in id order, each followed by its senders' member rows, each at most 250 ms.
 * Index: as `append_one`, which it calls for each.
 * Rejected: `append_entries_v2` for so few (its statements are set up anew for every call: about 0.9 ms before the first message).
 */
export const appendFew: Statement = {
  name: 'append_few',
  text: `select ${appendColumns}
    from append_few($1, $2, $3, $4, $5, $6, $7, $8, $9::text[]::jsonb[], $10, $11, $12) order by ord`,
};

/** Plain messages in a call up to which one after the other is cheaper than all at once. */
export const FEW = 4;
