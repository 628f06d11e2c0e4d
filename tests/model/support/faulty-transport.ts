import { type Connection, socketIoTransport, type Transport } from '@nudge/client';
import type { Notify } from '@nudge/types';

/** How the keys of a device fare on their way. Shares add up to at most 1; the rest arrives as sent. */
export interface KeyFate {
  readonly drop: number;
  readonly double: number;
  /** Held back until the next one came: arrives out of order. */
  readonly late: number;
}

/** Faults that fired, so that a test can show they did. */
export interface Fired {
  dropped: number;
  doubled: number;
  late: number;
}

/** The real socket with a bad line: keys are dropped, doubled and reordered as `random` says. `fate` can be changed at any time. */
export class FaultyTransport implements Transport {
  fate: KeyFate = { drop: 0, double: 0, late: 0 };
  readonly fired: Fired = { dropped: 0, doubled: 0, late: 0 };
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  connect(...[request, handlers]: Parameters<Transport['connect']>): Connection {
    let held: Notify['keys'] = [];
    const notify = ({ keys, resync }: Notify) => {
      const out: Notify['keys'] = [];
      const released = held;
      held = [];
      for (const key of keys) {
        const draw = this.#random();
        const { drop, double, late } = this.fate;
        if (draw < drop) {
          this.fired.dropped += 1;
        } else if (draw < drop + double) {
          this.fired.doubled += 1;
          out.push(key, key);
        } else if (draw < drop + double + late) {
          this.fired.late += 1;
          held.push(key);
        } else {
          out.push(key);
        }
      }
      out.push(...released);
      if (out.length > 0 || resync === true) handlers.notify({ keys: out, ...(resync === true ? { resync } : {}) });
    };
    return socketIoTransport.connect(request, { ...handlers, notify });
  }
}
