import { type Issue, NudgeError } from '../errors.ts';

/** The query of a request target as an object. A name that comes twice is refused, and so is what is not percent-encoded UTF-8. */
export function parseQuery(target: string): Record<string, string> {
  const query: Record<string, string> = {};
  const start = target.indexOf('?');
  if (start < 0 || start === target.length - 1) return query;
  for (const pair of target.slice(start + 1).split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodePart(equals < 0 ? pair : pair.slice(0, equals), 'query', true);
    const value = equals < 0 ? '' : decodePart(pair.slice(equals + 1), 'query', true);
    if (name === '__proto__')
      throw refused({
        path: 'query',
        message: 'the name __proto__ is not accepted',
      });
    if (Object.hasOwn(query, name)) throw refused({ path: 'query', message: 'a parameter is given twice' });
    query[name] = value;
  }
  return query;
}

/** A percent-encoded part of a target as text. In a query `+` is a space. */
export function decodePart(part: string, where: 'query' | 'params', plusIsSpace: boolean): string {
  const text = plusIsSpace && part.includes('+') ? part.replaceAll('+', ' ') : part;
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // A URIError says no more than this does.
    throw refused({ path: where, message: 'not percent-encoded UTF-8' });
  }
}

function refused(issue: Issue): NudgeError {
  return new NudgeError('invalid_request', { issues: [issue] });
}
