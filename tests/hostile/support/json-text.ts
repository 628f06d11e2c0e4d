/** JSON text that no value stands for: duplicate keys, numbers no double can hold, half of a surrogate pair. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Like `JSON.stringify`, with every {@link RawJson} written as it is. */
export function toJsonText(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(toJsonText).join(',')}]`;
  if (typeof value === 'object' && value !== null) return `{${members(value).join(',')}}`;
  return JSON.stringify(value);
}

/** The object with further members, written first. */
export function withMembers(value: object, text: string): RawJson {
  return new RawJson(`{${[text, ...members(value)].join(',')}}`);
}

/** Nested arrays, `depth` of them. */
export const nested = (depth: number): RawJson => new RawJson(`${'['.repeat(depth)}${']'.repeat(depth)}`);

function members(value: object): string[] {
  return Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${toJsonText(member)}`);
}
