import { defaultLimits, type Route } from '@nudge/types';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { NudgeError } from '../errors.ts';
import { createMetrics } from '../metrics.ts';
import { mount } from './mounted-route.ts';
import { ReadTargets, readTarget } from './read-target.ts';
import { bind } from './route-binding.ts';

const route = {
  method: 'GET',
  path: '/p/{id}',
  summary: 's',
  tag: 'sync',
  auth: 'user',
  rate: 'readsPer10Seconds',
  params: z.strictObject({ id: z.string().max(3) }),
  query: z.strictObject({ after: z.string().transform(Number).optional() }),
  answers: {},
  errors: [],
} as const satisfies Route;
const mounted = mount(
  bind('p', route, async () => ({ status: 200, json: '{}' })),
  defaultLimits,
  createMetrics(),
);
const read = (text: string, readTargets: ReadTargets) =>
  readTarget(mounted, { text, params: [text.slice(3).split('?')[0] ?? ''], readTargets });

it('remembers what a target says, frozen', () => {
  const readTargets = new ReadTargets();
  const values = read('/p/a%20?after=5', readTargets);
  expect(values).toEqual({ params: { id: 'a ' }, query: { after: 5 }, body: undefined });
  expect(readTargets.get('/p/a%20?after=5')).toEqual({ mounted, values });
  expect(Object.isFrozen(values) && Object.isFrozen(values.params) && Object.isFrozen(values.query)).toBe(true);
});

it('remembers nothing that is refused, and no long target', () => {
  const readTargets = new ReadTargets();
  expect(() => read('/p/long?after=5', readTargets)).toThrow(NudgeError);
  expect(readTargets.get('/p/long?after=5')).toBeUndefined();
  const long = `/p/a?after=${'1'.repeat(300)}`;
  read(long, readTargets);
  expect(readTargets.get(long)).toBeUndefined();
});

it('remembers the newest, and a bounded number', () => {
  const readTargets = new ReadTargets();
  const text = (i: number) => `/p/a?after=${i}`;
  for (let i = 0; i < 30_000; i++) read(text(i), readTargets);
  let held = 0;
  for (let i = 0; i < 30_000; i++) if (readTargets.get(text(i))) held++;
  expect(held).toBeLessThanOrEqual(10_000);
  for (let i = 25_000; i < 30_000; i++) expect(readTargets.get(text(i))).toBeDefined();
});
