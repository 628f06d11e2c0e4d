/** To the flooded server: publish keys to these users until so many sockets take nothing more. */
export interface FloodRequest {
  readonly users: readonly string[];
  /** In how many logs. They exist nowhere else: what a socket hears of real ones is what the server says of them itself. */
  readonly logs: number;
  readonly sockets: number;
  readonly timeoutMs: number;
}

/** From the flooded server. `blocked` counts sockets found not writable, `grownBytes` what the flood left in memory. */
export type Answer =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'flooded'; readonly rounds: number; readonly blocked: number; readonly grownBytes: number };
