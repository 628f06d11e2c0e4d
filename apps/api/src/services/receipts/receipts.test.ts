import { constantRouter, type Publication } from '@nudge/server-kit';
import { ManualClock } from '@nudge/server-kit/testing';
import { describe, expect, it } from 'vitest';
import type { ConversationStore } from '../../store/conversation-store.ts';
import { Receipts } from './receipts.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(counts: Readonly<Record<string, number>>) {
  const published: Publication[] = [];
  const state = { failing: false, asked: 0 };
  const store: Pick<ConversationStore, 'memberCounts'> = {
    memberCounts: async (ids) => {
      state.asked += 1;
      return new Map(ids.map((id) => [id, counts[id] ?? 0]));
    },
  };
  const bus = {
    publish: async (batch: readonly Publication[]) => {
      if (state.failing) throw new Error('the bus is down');
      published.push(...batch);
    },
  };
  const clock = new ManualClock();
  const log = { debug: () => undefined };
  const receipts = new Receipts({ router: constantRouter(store), bus, limits: { receiptMembers: 100 }, clock, log });
  const pass = async () => {
    clock.advance(50);
    await settle();
  };
  return { receipts, published, state, pass };
}

const at = (userId: string, position: { readSeq?: number; deliveredSeq?: number }, conversationId = 'small') => ({
  appId: 'app',
  conversationId,
  userId,
  ...position,
});

describe('receipts', () => {
  it('go out together, the newest of each member, and not in large conversations', async () => {
    const { receipts, published, state, pass } = setUp({ small: 100, large: 101 });
    receipts.tell([at('a', { readSeq: 3 }), at('a', { deliveredSeq: 9 }), at('b', { readSeq: 2 }), at('c', { readSeq: 1 }, 'large')]);
    receipts.tell([at('a', { readSeq: 2 })]);
    expect(published).toEqual([]);
    await pass();
    expect(published).toEqual([
      { topic: 'app/c/small', message: { kind: 'receipt', conversationId: 'small', userId: 'a', readSeq: 3, deliveredSeq: 9 } },
      { topic: 'app/c/small', message: { kind: 'receipt', conversationId: 'small', userId: 'b', readSeq: 2 } },
    ]);
    receipts.tell([at('b', { readSeq: 4 })]);
    await pass();
    expect(published).toHaveLength(3);
    expect(state.asked).toBe(1);
  });

  it('are lost with the bus, and those after it are not', async () => {
    const { receipts, published, state, pass } = setUp({ small: 2 });
    state.failing = true;
    receipts.tell([at('a', { readSeq: 1 })]);
    await pass();
    state.failing = false;
    receipts.tell([at('a', { readSeq: 2 })]);
    await receipts.flush();
    expect(published.map(({ message }) => message)).toEqual([{ kind: 'receipt', conversationId: 'small', userId: 'a', readSeq: 2 }]);
  });
});
