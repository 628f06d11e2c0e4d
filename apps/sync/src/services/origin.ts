/**
 * How something was read. Two statements are ordered only when one was sent after the other's answer had arrived: their snapshots
 * may lie the other way round than their sending.
 */
export interface Origin {
  /** Tick at which the statement was sent. */
  readonly sentTick: number;
  /** Tick at which its answer arrived. */
  readonly arrivedTick: number;
  /** When it was sent, ms. */
  readonly sentAt: number;
  /** Whether the primary answered; a replica may be behind. */
  readonly primary: boolean;
}
