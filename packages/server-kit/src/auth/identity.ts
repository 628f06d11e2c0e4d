/** Who a verified token stands for. Times in ms since 1970. */
export interface Identity {
  readonly appId: string;
  readonly userId: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly kid: string;
}

/** Who a verified server key stands for. */
export interface ServerIdentity {
  readonly appId: string;
  readonly kid: string;
  readonly scopes: readonly string[];
}
