import type { Network } from '@nudge/types';
import type { Clock } from './clock.ts';
import type { FixedGateways } from './endpoints.ts';
import type { Storage } from './storage.ts';
import type { GetToken } from './tokens.ts';
import type { Transport } from './transport.ts';

/** Where log lines go; `console` fits. Neither tokens nor bodies are ever among the details. */
export interface Logger {
  debug(message: string, details?: object): void;
  warn(message: string, details?: object): void;
}

/** What a client is made of. One client is one user on one device. */
export interface ClientOptions {
  /** Base address of the API, and of everything else unless `gateways` says otherwise: `https://chat.example`. */
  readonly url: string;
  /** `dispatcher`: ask `GET /v1/gateways` where to connect and pull. Default: everything at `url`. */
  readonly gateways?: FixedGateways | 'dispatcher';
  /** A user token. Without `getToken` the client ends when it expires. */
  readonly token?: string;
  /** Gives a fresh token whenever one is needed. */
  readonly getToken?: GetToken;
  /** The device's own name, the same at every start: `[A-Za-z0-9_.:-]{1,64}`. Default: a random one. */
  readonly deviceId?: string;
  /** Name and version of the program, for the server's statistics. */
  readonly clientName?: string;
  /** What an app's rule of one session per platform goes by, 1 to 16 of `a-z 0-9 _ -`: `web`, `ios`, whatever the app calls it. Default: none named. */
  readonly platform?: string;
  /** The network the device is on: decides how often the connection is probed. Default `wifi`. */
  readonly network?: Network;
  /** Where entries and cursors are kept. Default: in memory. */
  readonly storage?: Storage;
  /** The socket. Default: socket.io over WebSocket. */
  readonly transport?: Transport;
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
  /** Source of jitter, in [0, 1). */
  readonly random?: () => number;
  readonly logger?: Logger;
  /** False: do not tell the server how far entries have arrived here. */
  readonly delivered?: boolean;
  /** See {@link Tuning}; each has a default. */
  readonly tuning?: Partial<Tuning>;
}

/** Numbers that fit the server's default limits. Lower them where the server's are lower. */
export interface Tuning {
  /** Entries asked for after a cursor; at most the server's `pageEntries`. */
  readonly pageEntries: number;
  /** Entries a log is started with. */
  readonly startEntries: number;
  /** Entries asked for over many logs; at most the server's `syncEntries`. */
  readonly syncEntries: number;
  /** Logs named in one request; at most the server's `syncLogs`. */
  readonly logsPerSync: number;
  /** Pulls at the same time. */
  readonly flights: number;
  /** Entries held of each conversation; older ones go, `loadBefore` brings them back. */
  readonly viewEntries: number;
  /** Conversations of the list that a sync starts unasked, newest first; the others start with a key or `open`. */
  readonly startLogs: number;
  /** Time limit of one HTTP request, ms; above the server's wait for `min`. */
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly ackTimeoutMs: number;
  /** Least time between two read, and two delivered, positions of one conversation, ms. */
  readonly readEveryMs: number;
  /** Least time between two `typing` of one conversation while it stays active, ms; below the time a `typing` holds. */
  readonly typingEveryMs: number;
  /** After this long without another `typing` the user has stopped, ms. */
  readonly typingStopMs: number;
}

export const defaultTuning: Tuning = {
  pageEntries: 200,
  startEntries: 50,
  syncEntries: 1_000,
  logsPerSync: 100,
  flights: 4,
  viewEntries: 1_000,
  startLogs: 100,
  requestTimeoutMs: 10_000,
  connectTimeoutMs: 10_000,
  ackTimeoutMs: 5_000,
  readEveryMs: 1_000,
  typingEveryMs: 2_000,
  typingStopMs: 5_000,
};
