import type { Bus } from './ports/bus.ts';

/** A bus whose listeners can also be told from here that what they hold is not to be trusted. */
export interface RestorableBus extends Bus {
  interrupt(): void;
}

/**
 * `bus` with a second reason for an interruption: the database went back to an earlier state. Whoever keeps something valid by the bus drops
 * it then, and devices are told to ask for everything. Disposing leaves `bus` to whoever opened it.
 */
export function restorableBus(bus: Bus): RestorableBus {
  const listeners = new Set<() => void>();
  return {
    publish: (batch) => bus.publish(batch),
    subscribe: (topic, listener) => bus.subscribe(topic, listener),
    onInterruption(listener) {
      const own = () => listener();
      listeners.add(own);
      const stop = bus.onInterruption(own);
      return () => {
        listeners.delete(own);
        stop();
      };
    },
    interrupt() {
      for (const listener of listeners) listener();
    },
    async [Symbol.asyncDispose]() {
      listeners.clear();
    },
  };
}
