import { describe, expect, it } from 'vitest';
import { effectsOfRow } from './payload.ts';

describe('an outbox row', () => {
  it('of an append names heads, and members where a membership changed', () => {
    const payload = {
      heads: [
        ['app', 'c1', 4],
        ['app', 'c2', 9],
      ],
      members: [['app', 'c2', 'bob']],
    };
    expect(effectsOfRow({ kind: 'append', payload })).toEqual({
      heads: [
        { appId: 'app', conversationId: 'c1', seq: 4, copiesStale: true },
        { appId: 'app', conversationId: 'c2', seq: 9, copiesStale: true },
      ],
      members: [{ appId: 'app', conversationId: 'c2', userId: 'bob' }],
    });
  });

  it('of a creation names the conversation whose first members are to learn of it', () => {
    expect(effectsOfRow({ kind: 'append', payload: { heads: [['app', 'c1', 1]], created: 'c1' } })).toMatchObject({
      firstMembersOf: 'c1',
    });
  });

  it('of reads and hidden conversations names users', () => {
    expect(effectsOfRow({ kind: 'read', payload: { reads: [['app', 'c1', 'bob', 7]] } })).toEqual({
      heads: [],
      reads: [{ appId: 'app', conversationId: 'c1', userId: 'bob', readSeq: 7 }],
    });
    expect(effectsOfRow({ kind: 'hide', payload: { hidden: [['app', 'c1', 'bob']] } })).toEqual({
      heads: [],
      hidden: [{ appId: 'app', conversationId: 'c1', userId: 'bob' }],
    });
  });

  it('of retention names the copies that are to be dropped', () => {
    expect(effectsOfRow({ kind: 'copies', payload: { copies: [['app', 'c1', 3, 7]] } })).toEqual({
      heads: [],
      copies: [{ appId: 'app', conversationId: 'c1', memberVersion: 3, head: 7 }],
    });
  });

  it('of an unknown kind or form is refused', () => {
    expect(() => effectsOfRow({ kind: 'later', payload: {} })).toThrow(/later/);
    expect(() => effectsOfRow({ kind: 'append', payload: { heads: 'x' } })).toThrow();
  });
});
