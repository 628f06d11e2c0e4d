import { z } from 'zod';
import type { OutboxRow } from '../../store/conversation-store.ts';
import type { Effects } from './effects.ts';

const triple = <Last extends z.ZodType>(last: Last) => z.tuple([z.string(), z.string(), last]);

const payloadSchemas = {
  append: z.object({
    heads: z.array(triple(z.int())),
    members: z.array(triple(z.string())).optional(),
    created: z.string().optional(),
  }),
  read: z.object({ reads: z.array(z.tuple([z.string(), z.string(), z.string(), z.int()])) }),
  block: z.object({ blocks: z.array(z.tuple([z.string(), z.string(), z.string(), z.string()])) }),
  copies: z.object({ copies: z.array(z.tuple([z.string(), z.string(), z.int(), z.int()])) }),
  hide: z.object({ hidden: z.array(triple(z.string())) }),
};

/** What an outbox row says is to be done. The version of a membership is not in it: it is read when the row is worked on. */
export type RowEffects = Omit<Effects, 'heads'> & {
  readonly heads: readonly {
    readonly appId: string;
    readonly conversationId: string;
    readonly seq: number;
    /** A row does not say what kind of change it was: copies held elsewhere are dropped in any case. */
    readonly copiesStale: true;
  }[];
};

/** Reads a row as the database functions write it; throws for a kind or a form that this version does not know. */
export function effectsOfRow(row: Pick<OutboxRow, 'kind' | 'payload'>): RowEffects {
  if (row.kind === 'append') {
    const { heads, members = [], created } = payloadSchemas.append.parse(row.payload);
    return {
      heads: heads.map(([appId, conversationId, seq]) => ({
        appId,
        conversationId,
        seq,
        copiesStale: true,
      })),
      members: members.map(([appId, conversationId, userId]) => ({ appId, conversationId, userId })),
      ...(created === undefined ? {} : { firstMembersOf: created }),
    };
  }
  if (row.kind === 'read') {
    const { reads } = payloadSchemas.read.parse(row.payload);
    return {
      heads: [],
      reads: reads.map(([appId, conversationId, userId, readSeq]) => ({ appId, conversationId, userId, readSeq })),
    };
  }
  if (row.kind === 'hide') {
    const { hidden } = payloadSchemas.hide.parse(row.payload);
    return { heads: [], hidden: hidden.map(([appId, conversationId, userId]) => ({ appId, conversationId, userId })) };
  }
  if (row.kind === 'block') {
    const { blocks } = payloadSchemas.block.parse(row.payload);
    return {
      heads: [],
      blocks: blocks.map(([appId, conversationId, userId, otherId]) => ({ appId, conversationId, userId, otherId })),
    };
  }
  if (row.kind === 'copies') {
    const { copies } = payloadSchemas.copies.parse(row.payload);
    return {
      heads: [],
      copies: copies.map(([appId, conversationId, memberVersion, head]) => ({ appId, conversationId, memberVersion, head })),
    };
  }
  throw new Error(`an outbox row of a kind that is not known here: ${row.kind}`);
}
