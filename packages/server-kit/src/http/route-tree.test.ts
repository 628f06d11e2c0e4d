import { expect, it } from 'vitest';
import { RouteTree } from './route-tree.ts';

const tree = new RouteTree<string>();
tree.add('GET', '/v1/conversations', 'list');
tree.add('POST', '/v1/conversations', 'create');
tree.add('GET', '/v1/conversations/{id}', 'one');
tree.add('GET', '/v1/conversations/new', 'new');
tree.add('PUT', '/v1/conversations/{id}/members/{userId}', 'member');
tree.add('GET', '/v1/con', 'prefix');

it.each([
  ['GET', '/v1/conversations', 'list', []],
  ['POST', '/v1/conversations?x=/y', 'create', []],
  ['GET', '/v1/conversations/abc', 'one', ['abc']],
  ['GET', '/v1/conversations/new', 'new', []],
  ['GET', '/v1/conversations/news', 'one', ['news']],
  ['GET', '/v1/conversations/a%2Fb?c', 'one', ['a%2Fb']],
  ['PUT', '/v1/conversations/a/members/b', 'member', ['a', 'b']],
  ['GET', '/v1/con', 'prefix', []],
])('%s %s is %s', (method, target, value, params) => {
  expect(tree.match(method, target)).toEqual({ value, params });
});

it.each([
  ['GET', '/'],
  ['GET', ''],
  ['GET', '*'],
  ['GET', 'http://host/v1/con'],
  ['GET', '/v1'],
  ['GET', '/v1/cons'],
  ['GET', '/V1/con'],
  ['GET', '/v1/con/'],
  ['GET', '//v1/con'],
  ['GET', '/v1/conversations/'],
  ['GET', '/v1/conversations/?id=1'],
  ['DELETE', '/v1/conversations'],
  ['HEAD', '/v1/conversations'],
  ['PUT', '/v1/conversations/a/members'],
  ['PUT', '/v1/conversations//members/b'],
  ['GET', '/v1/conversations?/new'.replace('?', '%3F')],
])('%s %s is unknown', (method, target) => {
  expect(tree.match(method, target)).toBeUndefined();
});

it('knows the methods of a path', () => {
  expect(tree.methods('/v1/conversations?x')).toEqual(['GET', 'POST']);
  expect(tree.methods('/v1/nothing')).toEqual([]);
});

it('refuses the same route twice', () => {
  expect(() => tree.add('GET', '/v1/conversations/{other}', 'x')).toThrow('Two routes');
});
