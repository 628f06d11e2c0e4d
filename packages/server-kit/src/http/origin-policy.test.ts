import { expect, it } from 'vitest';
import { createOriginPolicy } from './origin-policy.ts';

const policy = createOriginPolicy({ allowed: ['https://app.example', 'http://lan.example:3000'], localhost: false });
const local = createOriginPolicy({ allowed: [], localhost: true });

it.each([
  ['no origin', policy, undefined, 'chat.example'],
  ['no origin, no host', policy, undefined, undefined],
  ['a listed one', policy, 'https://app.example', 'chat.example'],
  ['a listed one with a port', policy, 'http://lan.example:3000', 'chat.example'],
  ['the own one', policy, 'https://chat.example', 'chat.example'],
  ['the own one with a port', policy, 'http://127.0.0.1:8080', '127.0.0.1:8080'],
  ['the own one, default port written', policy, 'http://chat.example', 'Chat.example:80'],
  ['localhost when set', local, 'http://localhost:5173', '127.0.0.1:8080'],
  ['127.0.0.1 when set', local, 'http://127.0.0.1:5173', 'chat.example'],
])('allows %s', (_, by, origin, host) => {
  expect(by.allows(origin, host)).toBe(true);
});

it.each([
  ['a foreign one', policy, 'https://evil.example', 'chat.example'],
  ['another scheme of a listed one', policy, 'http://app.example', 'chat.example'],
  ['another port of a listed one', policy, 'https://app.example:8443', 'chat.example'],
  ['a name that begins alike', policy, 'https://app.example.evil.example', 'chat.example'],
  ['the own name on another port', policy, 'http://127.0.0.1:9090', '127.0.0.1:8080'],
  ['null', local, 'null', 'chat.example'],
  ['nothing', policy, '', 'chat.example'],
  ['no URL', policy, 'evil', 'chat.example'],
  ['a path', policy, 'https://chat.example/', 'chat.example'],
  ['credentials', policy, 'https://u@chat.example', 'chat.example'],
  ['a file', local, 'file://localhost', 'localhost'],
  ['localhost when not set', policy, 'http://localhost:5173', 'chat.example'],
  ['https on localhost', local, 'https://localhost:5173', 'chat.example'],
  ['a name that begins like localhost', local, 'http://localhost.evil.example', 'chat.example'],
  ['an own host without a Host header', policy, 'https://chat.example', undefined],
])('refuses %s', (_, by, origin, host) => {
  expect(by.allows(origin, host)).toBe(false);
});
