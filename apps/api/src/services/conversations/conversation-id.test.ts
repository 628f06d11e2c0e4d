import { conversationIdSchema } from '@nudge/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { directConversationId, keyedConversationId, newConversationId } from './conversation-id.ts';

describe('conversation ids', () => {
  it('of a pair are the same in either order, and UUIDs of version 8', () => {
    const id = directConversationId('demo', 'alice', 'bob');
    expect(directConversationId('demo', 'bob', 'alice')).toBe(id);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(conversationIdSchema.safeParse(id).success).toBe(true);
  });

  it('are what the protocol derives: SHA-256 over the parts, each preceded by its length', () => {
    expect(directConversationId('demo', 'alice', 'bob')).toBe('015601bb-249c-8abf-8218-8f8968bbf6f2');
  });

  it('do not collide where the parts could be read in two ways', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 6 }), fc.string({ minLength: 1, maxLength: 6 }), (creator, key) => {
        fc.pre(creator + key !== '');
        const ids = [keyedConversationId('demo', creator, key), keyedConversationId('demo', `${creator}${key[0]}`, key.slice(1))];
        expect(new Set(ids).size).toBe(2);
        expect(keyedConversationId('other', creator, key)).not.toBe(ids[0]);
        expect(directConversationId('demo', creator, key)).not.toBe(ids[0]);
      }),
    );
  });

  it('of all others are UUIDs of version 7', () => {
    expect(newConversationId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
