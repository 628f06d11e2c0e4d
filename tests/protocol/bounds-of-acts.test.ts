import { describe, expect, it } from 'vitest';
import { actsOn } from './support/acts.ts';
import { useWorld } from './support/world.ts';

const world = useWorld({ env: { LIMIT_REACTIONS_PER_MESSAGE: '2', LIMIT_PINS_PER_CONVERSATION: '1' } });
const { said, pin, unpin, react } = actsOn(() => world.http);

describe('the bounds of reactions and pins', () => {
  it('are those in force', async () => {
    const [ann] = await world.people('ann');
    const { id } = await world.create(ann);
    const [one, two] = [await said(ann, id, 'one'), await said(ann, id, 'two')];
    (await react(ann, id, one, '👍')).ok();
    (await react(ann, id, one, '🎉')).ok();
    expect((await react(ann, id, one, '❤️')).refused('limit_reached').detail).toContain('reactionsPerMessage');
    (await pin(ann, id, one)).ok();
    expect((await pin(ann, id, two)).refused('limit_reached').detail).toContain('pinsPerConversation');
    (await unpin(ann, id, one)).ok();
    (await pin(ann, id, two)).ok();
  });
});
