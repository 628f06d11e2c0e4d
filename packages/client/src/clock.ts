/** Time as the driver sees it, so that a test can hold it. */
export interface Clock {
  /** Milliseconds since an arbitrary but fixed moment of wall time (used for differences and HTTP dates). */
  now(): number;
  /** Calls `action` once after `ms`; the returned function cancels it. */
  after(ms: number, action: () => void): () => void;
}

/** The platform's own time and timers. In Node they keep the program running until the client is closed. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};
