import { type Issue, NudgeError } from '../errors.ts';

/** Names and values as they came, without a prototype: no name means anything but itself. */
const emptyQuery = Object.create(null) as Record<string, string>;

/** The query of a request target as an object. A name that comes twice is refused, and so is what is not percent-encoded UTF-8. */
export function parseQuery(target: string): Record<string, string> {
  const query = Object.create(emptyQuery) as Record<string, string>;
  const question = target.indexOf('?');
  if (question < 0) return query;
  const encoded = target.includes('%', question) || target.includes('+', question);
  for (let start = question + 1; start < target.length; ) {
    const ampersand = target.indexOf('&', start);
    const end = ampersand < 0 ? target.length : ampersand;
    if (end > start) addPair(query, target, start, end, encoded);
    start = end + 1;
  }
  return query;
}

function addPair(query: Record<string, string>, target: string, start: number, end: number, encoded: boolean): void {
  const found = target.indexOf('=', start);
  const equals = found < 0 || found > end ? end : found;
  let name = target.slice(start, equals);
  let value = target.slice(equals + 1, end);
  if (encoded) {
    name = decodePart(name.replaceAll('+', ' '), 'query');
    value = decodePart(value.replaceAll('+', ' '), 'query');
  }
  if (query[name] !== undefined) throw refused({ path: 'query', message: 'a parameter is given twice' });
  query[name] = value;
}

/** A percent-encoded part of a target as text. */
export function decodePart(part: string, where: 'query' | 'params'): string {
  if (!part.includes('%')) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    // A URIError says no more than this does.
    throw refused({ path: where, message: 'not percent-encoded UTF-8' });
  }
}

function refused(issue: Issue): NudgeError {
  return new NudgeError('invalid_request', { issues: [issue] });
}
