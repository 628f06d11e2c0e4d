import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { NudgeError } from '../errors.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine reaches a listener on `host`. A name other than `localhost` may resolve to anything. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host.toLowerCase() === 'localhost' : loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** Judges requests to the operations port; throws an error with a registered code. */
export interface OpsAccess {
  /** Of every request. */
  checkSource(req: IncomingMessage): void;
  /** Of those that need the token. */
  checkToken(req: IncomingMessage): void;
}

/**
 * With a token whoever has it is let in. Without one the listener is on loopback, and what remains to be kept out are web pages opened on the
 * same machine: a browser names the page's origin, and one that was led here by a name (DNS rebinding) names that in `Host`.
 */
export function createOpsAccess(token: string | undefined): OpsAccess {
  const expected = token === undefined ? undefined : digest(token);
  return {
    checkSource({ headers }) {
      if (headers.origin !== undefined) throw new NudgeError('forbidden', { detail: 'no web page has business on the operations port' });
      if (expected === undefined && !isLoopback(hostname(headers.host ?? '')))
        throw new NudgeError('forbidden', { detail: 'without OPS_TOKEN, Host must be localhost or a loopback address' });
    },
    checkToken({ headers: { authorization } }) {
      if (expected === undefined) return;
      const given = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
      if (given === undefined) throw new NudgeError('token_missing', { detail: 'Authorization must be "Bearer <OPS_TOKEN>"' });
      if (!timingSafeEqual(digest(given), expected)) throw new NudgeError('token_invalid');
    },
  };
}

/** Of equal length whatever the text, so that the comparison tells nothing of it. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** `Host` without its port and the brackets of an IPv6 address. */
function hostname(host: string): string {
  return host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
}
