import { NudgeError } from '../errors.ts';

/**
 * Parses JSON from outside. Refuses what `JSON.parse` takes but no client means: nesting deeper than `maxDepth` (judged before parsing,
 * without recursion), duplicate keys, and keys that reach a prototype (`__proto__`, `constructor.prototype`). Throws a {@link NudgeError}
 * `invalid_request` whose detail never quotes the text.
 */
export function parseStrictJson(text: string, maxDepth: number): unknown {
  const members = scan(text, maxDepth);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    throw refused('the body is not valid JSON');
  }
  if (typeof value === 'object' && value !== null && countMembers(value) !== members) throw refused('an object has the same key twice');
  return value;
}

/** `"` `,` … in code units. */
const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;

/** Walks the structure outside of strings: checks the depth and counts the members of all objects (one colon each). */
function scan(text: string, maxDepth: number): number {
  let depth = 0;
  let colons = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === quote) {
      i = endOfString(text, i);
      if (i < 0) throw refused('the body is not valid JSON');
    } else if (unit === colon) {
      colons++;
    } else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > maxDepth) throw refused(`the body is nested deeper than ${maxDepth} (jsonDepth)`);
    } else if (unit === 0x7d || unit === 0x5d) {
      depth--;
    }
  }
  return colons;
}

/** Index of the quote that ends the string beginning at `start`, or -1. A quote ends it unless an odd number of backslashes precedes it. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes++;
    if ((escapes & 1) === 0) return end;
  }
  return -1;
}

/** Members of all objects in `root`. When the text had more, a later one replaced an earlier one of the same name. */
function countMembers(root: object): number {
  const stack: object[] = [root];
  let members = 0;
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    if (Array.isArray(item)) {
      for (const element of item) if (typeof element === 'object' && element !== null) stack.push(element);
      continue;
    }
    const keys = Object.keys(item);
    members += keys.length;
    for (const key of keys) {
      if (key === '__proto__') throw refused('the key __proto__ is not accepted');
      const member = (item as Record<string, unknown>)[key];
      if (typeof member !== 'object' || member === null) continue;
      if (key === 'constructor' && Object.hasOwn(member, 'prototype')) throw refused('the key constructor.prototype is not accepted');
      stack.push(member);
    }
  }
  return members;
}

function refused(detail: string): NudgeError {
  return new NudgeError('invalid_request', {
    detail,
    issues: [{ path: 'body', message: detail }],
  });
}
