import { z } from 'zod';
import { nested, RawJson, withMembers } from './json-text.ts';

/** What of JSON Schema the contract uses. */
interface Node {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly additionalProperties?: Node | boolean;
  readonly propertyNames?: Node;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
}

/** Values that exist, for what a schema calls an id or a token. */
export interface Names {
  readonly conversationId: string;
  readonly userId: string;
  readonly token: string;
}

/** A value that no request may have, in a request that is otherwise in order. */
export interface HostileCase {
  /** What is wrong, and where. */
  readonly what: string;
  readonly value: unknown;
}

/** Fields that only the server decides. */
const serverOwned = [
  'seq',
  'senderId',
  'createdAt',
  'role',
  'appId',
  'id',
  'epoch',
  'version',
  'lastSeq',
  'memberCount',
  'joinedSeq',
  'isAdmin',
];

export const canary = 'CANARY-7b1f';

/** A request in order: what the schema requires, and nothing else. */
export function sampleOf(schema: z.ZodType, names: Names): unknown {
  const root = toNode(schema);
  return sample(root, root, names, '');
}

/** Everything that can be wrong with a value of the schema, field by field, found from the schema alone. */
export function hostileCases(schema: z.ZodType, names: Names): HostileCase[] {
  const root = toNode(schema);
  return walk(root, root, names, '', (value) => value);
}

/** Names of the fields of an object schema, with their types. */
export function fieldsOf(schema: z.ZodType): { readonly name: string; readonly type: string }[] {
  const root = toNode(schema);
  const { properties = {} } = resolve(root, root);
  return Object.entries(properties).map(([name, node]) => ({ name, type: resolve(node, root).type ?? 'string' }));
}

function toNode(schema: z.ZodType): Node {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node;
}

/** Follows references and leaves out null. */
function resolve(node: Node, root: Node): Node {
  if (node.$ref !== undefined) {
    const name = node.$ref.replace('#/$defs/', '');
    const found = root.$defs?.[name];
    if (found === undefined) throw new Error(`no definition of ${node.$ref}`);
    return resolve(found, root);
  }
  if (node.anyOf !== undefined) {
    const [first] = node.anyOf.filter(({ type }) => type !== 'null');
    return first === undefined ? node : resolve(first, root);
  }
  return node;
}

/** Whether null means the same as absent. */
function isNullable(node: Node): boolean {
  return node.anyOf?.some((choice) => choice.type === 'null' || isNullable(choice)) ?? false;
}

function refersTo(node: Node, name: string): boolean {
  return node.$ref === `#/$defs/${name}` || (node.anyOf?.some((choice) => refersTo(choice, name)) ?? false);
}

function sample(node: Node, root: Node, names: Names, name: string): unknown {
  if (refersTo(node, 'ConversationId')) return names.conversationId;
  if (refersTo(node, 'UserId')) return names.userId;
  const resolved = resolve(node, root);
  if (resolved.const !== undefined) return resolved.const;
  if (resolved.enum !== undefined) return resolved.enum.includes('group') ? 'group' : resolved.enum[0];
  switch (resolved.type) {
    case 'integer':
      return Math.max(resolved.minimum ?? 0, 1);
    case 'boolean':
      return true;
    case 'array':
      return [sample(resolved.items ?? {}, root, names, name)];
    case 'object': {
      const required = resolved.required ?? [];
      const entries = required.map((key) => [key, sample(resolved.properties?.[key] ?? {}, root, names, key)] as const);
      return Object.fromEntries(entries);
    }
    case 'string':
      return name === 'token' ? names.token : name === 'deviceId' ? 'hostile' : 'text';
    default:
      return canary;
  }
}

function walk(node: Node, root: Node, names: Names, path: string, build: (value: unknown) => unknown): HostileCase[] {
  const resolved = resolve(node, root);
  const here = path === '' ? 'the whole' : path;
  const own = hostileValues(node, root, names).map(([what, value]) => ({ what: `${here}: ${what}`, value: build(value) }));
  const inner: HostileCase[] = [];
  const base = sample(node, root, names, '') as Record<string, unknown>;
  for (const [key, child] of Object.entries(resolved.properties ?? {})) {
    inner.push(...walk(child, root, names, `${path}.${key}`, (value) => build({ ...base, [key]: value })));
  }
  if (resolved.type === 'array' && resolved.items !== undefined)
    inner.push(...walk(resolved.items, root, names, `${path}[]`, (value) => build([value])));
  if (typeof resolved.additionalProperties === 'object') {
    const key = resolved.propertyNames !== undefined && refersTo(resolved.propertyNames, 'ConversationId') ? names.conversationId : 'key';
    inner.push(...walk(resolved.additionalProperties, root, names, `${path}{}`, (value) => build({ [key]: value })));
  }
  return [...own, ...inner];
}

/** Written as JSON: a NUL, and the first half of a surrogate pair. */
const nul = new RawJson(`"${canary}\\u0000"`);
const surrogate = new RawJson(`"${canary}\\ud800"`);

function hostileValues(node: Node, root: Node, names: Names): [string, unknown][] {
  const resolved = resolve(node, root);
  const valid = sample(node, root, names, '');
  switch (resolved.type) {
    case 'string': {
      const tooLong = Math.min((resolved.maxLength ?? 5_000) + 1, 10_000);
      return [
        ['a list', [valid]],
        ['an object', { text: canary }],
        ['a number', 7],
        ['a boolean', true],
        ['a NUL', nul],
        ['a lone surrogate', surrogate],
        ['too long', 'x'.repeat(tooLong)],
      ];
    }
    case 'integer':
      return [
        ['a list', [1]],
        ['an object', {}],
        ['text', '1'],
        ['a boolean', true],
        ['negative', -1],
        ['a fraction', 1.5],
        ['beyond 2^53', new RawJson('9007199254740993')],
        ['beyond all bounds', new RawJson('1e400')],
        ...((resolved.maximum ?? Number.POSITIVE_INFINITY) < 1e9 ? ([['1e9', 1e9]] as [string, unknown][]) : []),
      ];
    case 'boolean':
      return [
        ['text', 'true'],
        ['a number', 1],
        ['a list', [true]],
        ...(isNullable(node) ? [] : ([['null', null]] as [string, unknown][])),
      ];
    case 'array':
      return [
        ['an object', { 0: valid, length: 1 }],
        ['text', canary],
        ['a number', 7],
        ['a list in a list', [[]]],
        ...(resolved.maxItems === undefined ? [] : ([['too many', manyOf(resolved, root, names)]] as [string, unknown][])),
      ];
    case 'object': {
      const free = resolved.properties === undefined;
      const object = (typeof valid === 'object' && valid !== null ? valid : {}) as Record<string, unknown>;
      const [known] = Object.keys(object);
      const key = known ?? 'k';
      const owned = serverOwned.filter((name) => !(name in (resolved.properties ?? {})));
      return [
        ['a list', [valid]],
        ['text', canary],
        ['a number', 7],
        ['a boolean', false],
        ['the key __proto__', withMembers(object, '"__proto__":{"isAdmin":true}')],
        ['the key constructor.prototype', withMembers(object, '"constructor":{"prototype":{"isAdmin":true}}')],
        ['a key twice', withMembers(known === undefined ? { k: 1 } : object, `${JSON.stringify(key)}:1`)],
        [
          'a key twice, spelled differently',
          withMembers(known === undefined ? { k: 1 } : object, `"\\u${key.charCodeAt(0).toString(16).padStart(4, '0')}${key.slice(1)}":1`),
        ],
        ['nested 100,000 deep', withMembers(object, `"k":${nested(100_000).text}`)],
        ['nested 33 deep', withMembers(object, `"k":${nested(33).text}`)],
        ...(free ? [] : owned.map((name): [string, unknown] => [`the field ${name}, which the server owns`, { ...object, [name]: 1 }])),
      ];
    }
    default:
      // Free JSON inside of metadata or the body of a message.
      return [
        ['a NUL', nul],
        ['a lone surrogate', surrogate],
        ['a NUL in a key', new RawJson(`{"a\\u0000":1}`)],
        ['an integer beyond 2^53', new RawJson('9007199254740993')],
        ['an integer below -2^53', new RawJson('-9007199254740993')],
        ['a number beyond all bounds', new RawJson('1e400')],
        ['the key __proto__', new RawJson('{"__proto__":{}}')],
        ['a key twice', new RawJson('{"k":1,"k":2}')],
        ['nested 33 deep', nested(33)],
      ];
  }
}

/** One element more than allowed, all different. */
function manyOf(node: Node, root: Node, names: Names): unknown[] {
  const count = (node.maxItems ?? 0) + 1;
  const items = node.items ?? {};
  return Array.from({ length: count }, (_, n) => {
    if (refersTo(items, 'UserId')) return `u${n}`;
    if (refersTo(items, 'ConversationId')) return `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
    const value = sample(items, root, names, '');
    return typeof value === 'object' && value !== null ? { ...value, id: `u${n}` } : value;
  });
}
