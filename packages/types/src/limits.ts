/**
 * Every bound of the product, in one place. A bound is a number with a unit in its name; each can be overridden at start by
 * `LIMIT_<NAME>` (camelCase becomes SNAKE_CASE: `pageEntries` is `LIMIT_PAGE_ENTRIES`). A request over a bound is answered
 * with a clear error that names it; nothing is ever cut silently.
 */
export const defaultLimits = {
  /** Message body as canonical JSON, bytes. */
  messageBodyBytes: 16 * 1024,
  /** Metadata of a conversation or user as JSON, bytes. */
  metadataBytes: 4 * 1024,
  /** One socket frame from a client, bytes. */
  socketFrameBytes: 16 * 1024,
  /** HTTP request body, bytes. */
  httpBodyBytes: 64 * 1024,
  /** HTTP request body of the bulk routes under `/v1/admin`, bytes. */
  adminBodyBytes: 8 * 1024 * 1024,
  /** Nesting of objects and arrays in any JSON from outside. */
  jsonDepth: 32,
  /** Entries, members or heads on one page. */
  pageEntries: 200,
  /** Logs named in one `POST /v1/sync`. */
  syncLogs: 100,
  /** Entries in one `POST /v1/sync` answer, over all logs. */
  syncEntries: 1_000,
  /** A cursor further behind its head than this gets `tooLong` from `POST /v1/sync`. */
  tooLongEntries: 1_000,
  /** How long a pull waits for `min` before it answers `not_caught_up`, ms. */
  waitForMinMs: 2_000,
  /** Conversations one session watches. */
  watchedConversations: 100,
  /** Users whose presence one session watches. */
  watchedUsers: 100,
  /** Logs with an unsent key per session; above it they collapse into one `resync`. */
  pendingKeys: 256,
  /** Live sessions of one user. */
  sessionsPerUser: 20,
  /** Users named as members in one request. */
  membersPerRequest: 100,
  /** Users named as members in one request under `/v1/admin`. */
  adminMembersPerRequest: 10_000,
  /** Users named in `mentions` of one message. */
  mentionsPerMessage: 50,
  /** Different emojis on one message. */
  reactionsPerMessage: 50,
  /** Pinned messages of one conversation. */
  pinsPerConversation: 100,
  /** Messages of one user that wait for their time. */
  scheduledPerUser: 100,
  /** How far ahead a message can be scheduled, seconds. */
  scheduleAheadSeconds: 366 * 24 * 60 * 60,
  /** Longest life of an expiring message, seconds. */
  expirySeconds: 366 * 24 * 60 * 60,
  /** Longest slow mode, seconds. */
  slowModeSeconds: 24 * 60 * 60,
  /** Longest retention, seconds. */
  retentionSeconds: 10 * 366 * 24 * 60 * 60,
  /** A synced draft as JSON, bytes. */
  draftBytes: 4 * 1024,
  /** Users whom one user blocks. */
  blocksPerUser: 1_000,
  /** Members of the largest conversation whose receipts are pushed; larger ones are asked for theirs. */
  receiptMembers: 100,
  /** Payload of a custom `event` as JSON, bytes. */
  eventPayloadBytes: 1_024,
  /** Users named in one query for profiles or presence. */
  usersPerQuery: 100,
  /** Users named in one status query under `/v1/admin`. */
  usersPerStatusQuery: 1_000,
  /** Users in one bulk upsert. */
  usersPerUpsert: 1_000,
  /** Conversations one user is a member of. */
  conversationsPerUser: 10_000,
  /** Lifetime of a user token, seconds. */
  tokenLifetimeSeconds: 24 * 60 * 60,
  /** Writes of one user (sends, members, creations) per ten seconds. */
  writesPer10Seconds: 300,
  /** Reads of one user (pulls, syncs, heads) per ten seconds. */
  readsPer10Seconds: 1_500,
  /** Read-position updates of one user per ten seconds. */
  marksPer10Seconds: 300,
  /** Requests of one server key per ten seconds. */
  adminPer10Seconds: 5_000,
  /** Events from one socket per ten seconds, typing aside; above it they are refused, far above it the socket is closed. */
  socketEventsPer10Seconds: 200,
  /** Typing events of one session per ten seconds; above it they are dropped. */
  typingPer10Seconds: 20,
  /** Custom events of one session per ten seconds; above it they are dropped. */
  customEventsPer10Seconds: 50,
  /** Live sockets of one gateway. */
  gatewaySockets: 20_000,
  /** Handshakes a gateway starts per second. */
  handshakesPerSecond: 500,
  /** Handshakes from one address per ten seconds, above which they are refused before the upgrade; IPv6 addresses count by their /64, a forged token counts as ten. */
  handshakesPerAddressPer10Seconds: 1_000,
  /** Mean event-loop delay above which a gateway refuses new sockets, ms. */
  eventLoopDelayMs: 250,
  /** Requests one HTTP listener works on at the same time; above it the answer is `overloaded`. */
  requestsInFlight: 2_000,
  /** Requests with a body that one user has open at the same time, so that half-sent ones of one user cannot use up what all share. */
  requestsInFlightPerUser: 500,
  /** Sends waiting in the appender; above it the answer is `overloaded`. */
  appendQueue: 10_000,
} as const satisfies Record<string, number>;

/** Name of a bound. */
export type LimitName = keyof typeof defaultLimits;

/** A full set of bounds, as in force in one process. */
export type Limits = Readonly<Record<LimitName, number>>;

/** `pageEntries` -> `LIMIT_PAGE_ENTRIES`. */
export function limitVariable(name: LimitName): string {
  return `LIMIT_${name.replace(/[A-Z]|\d+/g, (part) => `_${part}`).toUpperCase()}`;
}
