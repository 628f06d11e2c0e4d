/** Holds everyone back until all have arrived. */
export interface Barrier {
  /** Resolves for all at once, when the last of the expected parties has called it. */
  arrive(): Promise<void>;
  readonly waiting: number;
}

/**
 * A barrier for `parties` callers; it can be used again once all have passed. Who waits longer than
 * `timeoutMs` gets an error that says how many were missing.
 */
export function createBarrier(parties: number, timeoutMs = 10_000): Barrier {
  let current = round();
  let waiting = 0;
  return {
    get waiting() {
      return waiting;
    },
    async arrive() {
      const mine = current;
      waiting += 1;
      if (waiting === parties) {
        current = round();
        waiting = 0;
        mine.open();
      }
      const timer = setTimeout(() => {
        mine.fail(new Error(`barrier: ${waiting} of ${parties} had arrived after ${timeoutMs} ms`));
      }, timeoutMs);
      try {
        await mine.passed;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** Runs all tasks so that none starts before every one has been set up; like `Promise.allSettled`. */
export async function runTogether<T>(tasks: readonly (() => Promise<T>)[]): Promise<PromiseSettledResult<T>[]> {
  const barrier = createBarrier(tasks.length);
  return Promise.allSettled(
    tasks.map(async (task) => {
      await barrier.arrive();
      return task();
    }),
  );
}

function round() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve, fail: reject };
}
