import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareSpots, firstSpot, TopicList } from './topic-list.ts';

const topics = fc.constantFrom(...'abcdefghij').map((name) => `app/u/${name}`);

describe('a topic list', () => {
  it('is a set in one order, whatever comes and goes', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('add' as const, 'delete' as const), topics));
    fc.assert(
      fc.property(fc.uniqueArray(topics), steps, topics, (first, changes, probe) => {
        const model = new Set(first);
        const list = new TopicList(first);
        for (const [change, topic] of changes) {
          model[change](topic);
          list[change](topic);
        }
        const spots = Array.from({ length: list.size }, (_, index) => list.at(index));
        expect(new Set(spots.map(({ topic }) => topic))).toEqual(model);
        expect(spots).toEqual(spots.toSorted(compareSpots));
        expect(new TopicList([...model])).toEqual(list);
        expect(list.has(probe)).toBe(model.has(probe));
        expect(() => list.at(list.size)).toThrow(RangeError);
        const spot = new TopicList([probe]).at(0);
        expect(list.indexAfter(spot)).toBe(spots.filter((each) => compareSpots(each, spot) <= 0).length);
        expect(list.indexAfter(firstSpot)).toBe(0);
      }),
    );
  });

  it('spreads names that are alike', () => {
    const names = Array.from({ length: 10_000 }, (_, n) => `app/u/${n < 9_000 ? 'crowd' : 'team'}-${n}`);
    const list = new TopicList(names);
    const sixteenth = 625;
    for (let from = 0; from < list.size; from += sixteenth) {
      let team = 0;
      for (let index = from; index < from + sixteenth; index += 1) if (list.at(index).topic.includes('team')) team += 1;
      expect(team).toBeGreaterThan(30);
      expect(team).toBeLessThan(100);
    }
  });
});
