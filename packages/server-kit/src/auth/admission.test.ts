import { expect, it } from 'vitest';
import { NudgeError } from '../errors.ts';
import { createAdmission } from './admission.ts';
import type { Identity } from './identity.ts';

const identity = (userId = 'alice', appId = 'demo'): Identity => ({ appId, userId, issuedAt: 0, expiresAt: 1, kid: 'demo.1' });

it('ensures the row of a user once, however many requests come at the same time', async () => {
  const ensured: string[] = [];
  const barrier = Promise.withResolvers<void>();
  const admit = createAdmission({
    ensure: async (appId, userId) => {
      ensured.push(`${appId}/${userId}`);
      await barrier.promise;
    },
  });
  const waiting = [admit(identity()), admit(identity()), admit(identity('alice', 'other'))];
  barrier.resolve();
  for (const admission of waiting) await admission;
  expect(ensured).toEqual(['demo/alice', 'other/alice']);
  expect(admit(identity())).toBeUndefined();
  expect(ensured).toHaveLength(2);
});

it('does not remember a failure', async () => {
  let calls = 0;
  const admit = createAdmission({
    ensure: async () => {
      if (++calls === 1) throw new NudgeError('database_unavailable');
    },
  });
  await expect(admit(identity())).rejects.toThrow(NudgeError);
  await admit(identity());
  expect(calls).toBe(2);
  expect(admit(identity())).toBeUndefined();
});

it('asks the judge every time', async () => {
  let banned = false;
  const admit = createAdmission({
    ensure: async () => undefined,
    judge: () => {
      if (banned) throw new NudgeError('user_banned');
    },
  });
  const alice = identity();
  await admit(alice);
  expect(admit(alice)).toBeUndefined();
  banned = true;
  expect(() => admit(alice)).toThrow(NudgeError);
});
