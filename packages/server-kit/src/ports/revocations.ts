/** Tokens taken back: per user a time before which no token of its is good. Known from the primary, with the bus down too. */
export interface Revocations {
  /** Whether a token of the user issued then (ms since 1970) has been taken back. */
  isRevoked(appId: string, userId: string, issuedAt: number): boolean;
  /** Called with every user whose cut-off (ms since 1970) has moved, soon after it did. The result removes the listener. */
  onChange(listener: (appId: string, userId: string, validAfter: number) => void): () => void;
  /** Whether what is known is recent enough to let anybody in. */
  isFresh(): boolean;
}

/** Where no token is ever taken back. */
export const noRevocations: Revocations = {
  isRevoked: () => false,
  onChange: () => () => undefined,
  isFresh: () => true,
};
