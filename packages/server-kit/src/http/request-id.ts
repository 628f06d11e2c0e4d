import { randomBytes } from 'node:crypto';

const wellFormed = /^[A-Za-z0-9._-]{1,64}$/;

/** Ids of requests: the client's own `X-Request-Id` if it is well-formed, else one of this process. */
export function createRequestIds(): (given: string | string[] | undefined) => string {
  const prefix = `${randomBytes(6)
    .toString('base64url')
    .replace(/[^A-Za-z0-9]/g, '0')}-`;
  let count = 0;
  return (given) => (typeof given === 'string' && wellFormed.test(given) ? given : prefix + (++count).toString(36));
}
