import type { Statement } from '../statement.ts';
import { appendColumns } from './append-columns.ts';

/**
 * One plain message without `extra` into one conversation: function `append_one` (migrations/20261121000030_append_few).
 *
 * Locks: the conversation row (`for no key update`, at most 250 ms), then the sender's member row by its update.
 * Index: `conversation_pkey`, `member_pkey`, `entry_..._client_msg_id_key`; all plans pinned by the function.
 * Rejected: `append_entries` for a batch of one (1,140 instead of 640 us of server CPU); separate statements from
 * Node in a transaction (five round trips with the conversation locked).
 */
export const appendOne: Statement = {
  name: 'append_one',
  text: `select ${appendColumns}
    from append_one($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11)`,
};
