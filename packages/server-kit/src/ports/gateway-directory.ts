/** A gateway as it describes itself. */
export interface GatewayDescription {
  /** Its name, new with every start. */
  readonly id: string;
  /** Where clients reach it. */
  readonly url: string;
  readonly zone: string;
  /** Of the gateways that stop together with it, where there are any: workers of one launcher. */
  readonly group?: string;
  /** 0 (idle) to 1 (takes no more). */
  readonly load: number;
  /** Live sockets. */
  readonly sockets: number;
  /** It tells its sockets to move: send nobody there. */
  readonly draining: boolean;
  /** It lives, but lacks what every handshake needs, its database say: send somebody there only when nothing else lives. */
  readonly unready?: true;
}

/** See {@link GatewayDirectory.list}. */
export interface GatewayRecord extends GatewayDescription {
  /** When it is gone unless it renews, ms since 1970. */
  readonly expiresAt: number;
}

/**
 * The gateways that live. A gateway puts itself again and again; one that dies without a word is gone with its time. Nothing else is kept: a
 * directory that was lost is whole again after one renewal of each.
 */
export interface GatewayDirectory extends AsyncDisposable {
  /** The gateway is there for `ttlMs` from now, as described; it replaces what was known of it. */
  put(gateway: GatewayDescription, ttlMs: number): Promise<void>;
  /** The gateway is gone. */
  remove(id: string): Promise<void>;
  /** All that live, draining ones too, by id. */
  list(): Promise<GatewayRecord[]>;
}
