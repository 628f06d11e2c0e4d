import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { GatewayDescription, GatewayDirectory, GatewayRecord } from '../ports/gateway-directory.ts';
import { orderGateways } from './order-gateways.ts';

/** Renewals in one lifetime of the entry: two may fail before the gateway is taken for dead. */
const renewalsPerTtl = 3;

export interface RegisterGatewayOptions {
  readonly directory: GatewayDirectory;
  /** How the gateway is now; asked at every renewal. */
  readonly describe: () => GatewayDescription | Promise<GatewayDescription>;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long the entry outlives a gateway that dies without a word, ms. */
  readonly ttlMs?: number;
  /** 0 to 1; spreads the renewals of gateways that were started together. */
  readonly random?: () => number;
}

/** Whether sockets may move there from `own`: it takes some, and a gateway of the same group is about to stop too, though it may not have said so yet. */
function isRefuge(own: GatewayDescription, { id, group, draining, unready }: GatewayRecord): boolean {
  return id !== own.id && !draining && !unready && (own.group === undefined || group !== own.group);
}

export interface GatewayRegistration extends AsyncDisposable {
  /** Tells the directory now: for a gateway that begins to drain. Does not reject: the renewal that follows says it again. */
  announce(): Promise<void>;
  /** Address of the best other gateway for a user, as of the last renewal or announcement; `undefined` when none is known. */
  pickTarget(user: { readonly appId: string; readonly userId: string }): string | undefined;
}

/**
 * Keeps a gateway in the directory until disposed. A directory that cannot be reached stops no gateway: it is tried again with every
 * renewal, so that one that was lost is whole again after a third of `ttlMs`.
 */
export async function registerGateway(options: RegisterGatewayOptions): Promise<GatewayRegistration> {
  const { directory, describe, clock, log, ttlMs = 15_000, random = Math.random } = options;
  let closed = false;
  let failing = false;
  let cancel: (() => void) | undefined;
  /** Puts follow one another: an older description never comes after a newer one. */
  let last: Promise<void> = Promise.resolve();
  let others: readonly GatewayRecord[] = [];

  const put = async (): Promise<void> => {
    if (closed) return;
    try {
      const own = await describe();
      await directory.put(own, ttlMs);
      others = (await directory.list()).filter((other) => isRefuge(own, other));
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'this gateway could not be entered into the directory');
      failing = true;
    }
  };
  const announce = (): Promise<void> => {
    last = last.then(put);
    return last;
  };
  const arm = (): void => {
    if (closed) return;
    const everyMs = ttlMs / renewalsPerTtl;
    cancel = clock.after(everyMs * (0.75 + random() / 2), () => void announce().then(arm));
  };

  await announce();
  arm();
  return {
    announce,
    pickTarget: (user) => orderGateways(user, others, 1)[0]?.url,
    async [Symbol.asyncDispose]() {
      closed = true;
      cancel?.();
      await last;
      try {
        await directory.remove((await describe()).id);
      } catch (error) {
        log.debug({ err: error }, 'this gateway could not be taken out of the directory: its entry ends by itself');
      }
    },
  };
}
