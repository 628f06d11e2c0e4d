import { type Logger, NudgeError, toNudgeError } from '@nudge/server-kit';
import { type AckedEventName, type ClientPayload, clientEventSchemas, type Limits, type Refusal } from '@nudge/types';
import { RateWindow } from '../services/rate-window.ts';
import type { Session } from '../services/session.ts';
import type { Handler, HandlerContext } from './handler.ts';
import { event } from './handlers/event.ts';
import { presenceSet } from './handlers/presence-set.ts';
import { presenceWatch } from './handlers/presence-watch.ts';
import { reauth } from './handlers/reauth.ts';
import { typing } from './handlers/typing.ts';
import { unwatch } from './handlers/unwatch.ts';
import { watch } from './handlers/watch.ts';
import type { Peer } from './peer.ts';

const handlers: { readonly [Name in AckedEventName]: Handler<Name> } = {
  watch,
  unwatch,
  'presence.watch': presenceWatch,
  'presence.set': presenceSet,
  reauth,
};

/** Ids that an event may name for the price of one event: what it costs grows with them. */
const idsPerEvent = 10;

const costs: { readonly [Name in AckedEventName]?: (payload: ClientPayload<Name>) => number } = {
  watch: ({ conversationIds }) => Math.ceil(conversationIds.length / idsPerEvent),
  'presence.watch': ({ userIds }) => Math.ceil(Math.max(1, userIds.length) / idsPerEvent),
};

type AckFunction = (answer: unknown) => void;

export interface DispatchOptions {
  readonly context: HandlerContext;
  readonly limits: Limits;
  readonly log: Logger;
  readonly now: () => number;
}

/**
 * Brings an event to its handler: payload validated, rate judged, failure turned into a refused acknowledgement. What cannot be refused that
 * way, for want of an acknowledgement, breaks the protocol.
 */
export function createDispatch(options: DispatchOptions): (peer: Peer, name: string, args: readonly unknown[]) => void {
  const { context, limits, log, now } = options;
  const schemas = clientEventSchemas(limits);
  const isAcked = (name: string): name is AckedEventName => Object.hasOwn(handlers, name);

  async function answer<Name extends AckedEventName>(session: Session, name: Name, payload: unknown, ack: AckFunction): Promise<void> {
    try {
      const parsed = schemas[name].safeParse(payload);
      if (!parsed.success) throw new NudgeError('invalid_request');
      session.events ??= new RateWindow();
      const valid = parsed.data as ClientPayload<Name>;
      if (session.events.count(now(), costs[name]?.(valid) ?? 1) > limits.socketEventsPer10Seconds) {
        throw new NudgeError('rate_limited', {
          retryAfterMs: session.events.remainingMs(now()),
        });
      }
      const handler: Handler<Name> = handlers[name];
      ack(await handler(context, session, valid));
    } catch (error) {
      const failure = toNudgeError(error);
      if (failure.code === 'internal') log.error({ err: error, type: name, sessionId: session.id }, 'an event failed');
      ack(refusal(failure));
    }
  }

  /** An event without acknowledgement; answers whether its payload is one. */
  function hint(session: Session, name: 'typing' | 'event', payload: unknown): boolean {
    if (name === 'typing') {
      const parsed = schemas.typing.safeParse(payload);
      if (parsed.success) typing(context, session, parsed.data);
      return parsed.success;
    }
    const parsed = schemas.event.safeParse(payload);
    if (parsed.success) event(context, session, parsed.data);
    return parsed.success;
  }

  return (peer, name, args) => {
    const { session } = peer;
    if (session === undefined || peer.isEnding) return;
    if (peer.isClogged) {
      peer.disconnect('slow_consumer', 1_000);
      return;
    }
    const last = args.at(-1);
    const ack = typeof last === 'function' ? (last as AckFunction) : undefined;
    const payloads = ack === undefined ? args : args.slice(0, -1);
    if (name === 'typing' || name === 'event') {
      const handled = payloads.length === 1 && hint(session, name, payloads[0]);
      if (handled) return;
      if (ack === undefined) peer.disconnect('protocol_error');
      else ack(refusal(new NudgeError('invalid_request')));
    } else if (ack === undefined) {
      peer.disconnect('protocol_error');
    } else if (!isAcked(name) || payloads.length !== 1) {
      ack(refusal(new NudgeError('invalid_request')));
    } else {
      void answer(session, name, payloads[0], ack);
    }
  };
}

function refusal({ code, retryable, retryAfterMs }: NudgeError): Refusal {
  return {
    ok: false,
    code,
    retryable,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) }),
  };
}
