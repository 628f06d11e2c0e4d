import { type Clock, conversationTopic, type Logger, toNudgeError } from '@nudge/server-kit';
import { conversationLog, type ErrorCode, type LogName } from '@nudge/types';
import type { Hub } from './hub.ts';
import type { MemberOf, MembershipSource } from './membership.ts';
import { QuestionBatcher } from './question-batcher.ts';
import type { Session } from './session.ts';
import type { Standing, WatchedConversation } from './watched-conversation.ts';

/** Times in ms. */
export interface WatchOptions {
  readonly hub: Hub;
  readonly membership: Pick<MembershipSource, 'standings' | 'versions'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Conversations one session may watch. */
  readonly perSession: number;
  /** How often the membership versions of all watched conversations are compared with the primary's. */
  readonly recheckMs: number;
  /** Age of the last confirmation above which nothing is relayed. */
  readonly staleMs: number;
  /** A session lost its right to watch. */
  readonly onDropped: (session: Session, watched: WatchedConversation) => void;
}

/** What `watch` answers. */
export interface WatchAnswer {
  readonly heads: Record<string, number>;
  readonly refused: Record<string, ErrorCode>;
}

/**
 * Who watches which conversation. Only members watch; membership is read from the primary when watching begins, again when a control message
 * names a newer membership version, and compared every `recheckMs` in case a control message was lost. While it is not confirmed nothing is
 * relayed: neither keys of the conversation's topic nor ephemeral events.
 */
export class Watches {
  readonly #options: WatchOptions;
  readonly #batcher: QuestionBatcher<MemberOf, Standing | undefined>;
  readonly #watched = new Map<string, WatchedConversation>();
  readonly #rechecks = new Map<WatchedConversation, Promise<void>>();
  /** Asked for while a recheck ran, which may have begun too early for it. */
  readonly #again = new Set<WatchedConversation>();
  #cancelPoll: (() => void) | undefined;
  #poll: Promise<void> | undefined;
  #stopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#batcher = new QuestionBatcher((pairs) => options.membership.standings(pairs));
  }

  /** Conversations watched by anyone. */
  get size(): number {
    return this.#watched.size;
  }

  start(): void {
    this.#armPoll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelPoll?.();
    await Promise.all([this.#poll, ...this.#rechecks.values()]);
  }

  /**
   * Watches what the session may see. The heads are read after the subscriptions are in force: a later key is heard. Where the bus is away they are
   * in force later, and then the session is told to resync.
   */
  async watch(session: Session, conversationIds: readonly string[]): Promise<WatchAnswer> {
    const answer: WatchAnswer = { heads: {}, refused: {} };
    const asked = [...new Set(conversationIds)];
    const fresh = asked.filter((id) => !session.watches?.has(id));
    const room = this.#options.perSession - (session.watches?.size ?? 0);
    for (const id of fresh.splice(Math.max(0, room))) answer.refused[id] = 'too_large';

    const held = asked.filter((id) => answer.refused[id] === undefined).map((id) => this.#hold(session.appId, id));
    try {
      await Promise.all(held.map((watched) => watched.opening));
      const askedAt = this.#options.clock.now();
      const standings = await this.#batcher.ask(
        held.map(({ appId, id }) => ({
          appId,
          conversationId: id,
          userId: session.userId,
        })),
      );
      for (const [i, watched] of held.entries()) {
        const standing = standings[i];
        if (standing === undefined || session.state === 'ended') {
          answer.refused[watched.id] = 'not_found';
          this.#leave(session, watched);
        } else if (!session.watches?.has(watched.id) && (session.watches?.size ?? 0) >= this.#options.perSession) {
          answer.refused[watched.id] = 'too_large';
        } else {
          this.#admit(session, watched, standing, askedAt);
          // A key that came while the head was read was heard by no session that was not admitted yet.
          answer.heads[watched.id] = Math.max(standing.head, watched.heardSeq);
        }
      }
    } finally {
      for (const watched of held) this.#release(watched);
    }
    return answer;
  }

  unwatch(session: Session, conversationIds: Iterable<string>): void {
    for (const id of [...conversationIds]) {
      const watched = session.watches?.get(id);
      if (watched !== undefined) this.#leave(session, watched);
    }
  }

  /** The conversation as this session watches it, while what is known of its membership may be relied on. */
  watchedBy(session: Session, conversationId: string): WatchedConversation | undefined {
    const watched = session.watches?.get(conversationId);
    return watched !== undefined && this.#isReliable(watched) ? watched : undefined;
  }

  /** The conversation of a topic, if any session here watches it and what is known of its membership may be relied on. */
  reliable(topic: string): WatchedConversation | undefined {
    const watched = this.#watched.get(topic);
    return watched !== undefined && this.#isReliable(watched) ? watched : undefined;
  }

  /** A key came on a conversation's topic; answers whether it may be passed on. */
  onKey(topic: string, log: LogName, seq: number): boolean {
    const watched = this.#watched.get(topic);
    if (watched === undefined) return false;
    if (log === watched.log && seq > watched.heardSeq) watched.heardSeq = seq;
    return this.#isReliable(watched);
  }

  /** The bus says that membership has reached a version. */
  onControl(topic: string, memberVersion: number): void {
    const watched = this.#watched.get(topic);
    if (watched === undefined || memberVersion <= watched.newestVersion) return;
    watched.newestVersion = memberVersion;
    void this.#recheck(watched);
  }

  /** What the bus said of the conversation may have been lost. */
  onLate(topic: string): void {
    const watched = this.#watched.get(topic);
    if (watched !== undefined) void this.#recheck(watched);
  }

  /** Control messages may have been lost: everything is looked at again. */
  recheckAll(): void {
    this.#cancelPoll?.();
    this.#runPoll();
  }

  #isReliable(watched: WatchedConversation): boolean {
    return watched.memberVersion >= watched.newestVersion && this.#options.clock.now() - watched.verifiedAt <= this.#options.staleMs;
  }

  #hold(appId: string, id: string): WatchedConversation {
    const topic = conversationTopic(appId, id);
    let watched = this.#watched.get(topic);
    if (watched === undefined) {
      const opening = this.#options.hub.hold(topic);
      watched = {
        appId,
        id,
        log: conversationLog(id),
        topic,
        opening,
        holds: 0,
        heardSeq: 0,
        memberVersion: 0,
        newestVersion: 0,
        verifiedAt: Number.NEGATIVE_INFINITY,
        standings: new Map(),
      };
      this.#watched.set(topic, watched);
    }
    watched.holds++;
    return watched;
  }

  #release(watched: WatchedConversation): void {
    if (--watched.holds > 0) return;
    this.#watched.delete(watched.topic);
    this.#options.hub.release(watched.topic);
  }

  #admit(session: Session, watched: WatchedConversation, standing: Standing, askedAt: number): void {
    if (watched.standings.size === 0) watched.verifiedAt = askedAt;
    const known = watched.standings.get(session.userId);
    if (known === undefined || known.memberVersion <= standing.memberVersion) watched.standings.set(session.userId, standing);
    watched.newestVersion = Math.max(watched.newestVersion, standing.memberVersion);
    watched.memberVersion = oldest(watched.standings);
    if (!session.watches?.has(watched.id)) {
      session.watches ??= new Map();
      session.watches.set(watched.id, watched);
      watched.holds++;
      this.#options.hub.add(watched.topic, session);
      // Whoever watches can be left out of its own typing on all of its devices.
      session.connection?.join(session.topic);
      session.connection?.join(watched.topic);
    }
    if (watched.memberVersion < watched.newestVersion) void this.#recheck(watched);
  }

  #leave(session: Session, watched: WatchedConversation): void {
    if (!session.watches?.delete(watched.id)) return;
    const { hub } = this.#options;
    hub.leave(watched.topic, session);
    session.connection?.leave(watched.topic);
    if (!hub.sessions(watched.topic).some((other) => other.userId === session.userId)) watched.standings.delete(session.userId);
    this.#release(watched);
  }

  /** Reads the standing of all its watchers again; one at a time per conversation. */
  #recheck(watched: WatchedConversation): Promise<void> {
    const running = this.#rechecks.get(watched);
    if (running !== undefined) this.#again.add(watched);
    if (running !== undefined || this.#stopped) return running ?? Promise.resolve();
    const recheck = this.#readStandings(watched)
      .catch((error: unknown) => {
        // Not confirmed, hence not relayed; the next poll tries again.
        this.#options.log.warn(
          {
            err: error,
            code: toNudgeError(error).code,
            conversationId: watched.id,
          },
          'the members of a watched conversation could not be read',
        );
        return false;
      })
      .then((again) => {
        this.#rechecks.delete(watched);
        // Whoever began to watch meanwhile with an older standing, or heard of a newer version, was not in what has been read.
        const asked = this.#again.delete(watched);
        if ((again || asked) && watched.holds > 0 && watched.memberVersion < watched.newestVersion) return this.#recheck(watched);
        return undefined;
      });
    this.#rechecks.set(watched, recheck);
    return recheck;
  }

  /** Answers whether it read a state newer than the one before. */
  async #readStandings(watched: WatchedConversation): Promise<boolean> {
    const users = [...watched.standings.keys()];
    const askedAt = this.#options.clock.now();
    const before = watched.memberVersion;
    const standings = await this.#batcher.ask(
      users.map((userId) => ({
        appId: watched.appId,
        conversationId: watched.id,
        userId,
      })),
    );
    const gone = new Set<string>();
    for (const [i, userId] of users.entries()) {
      const standing = standings[i];
      if (standing === undefined) gone.add(userId);
      else if (watched.standings.has(userId)) watched.standings.set(userId, standing);
    }
    for (const session of [...this.#options.hub.sessions(watched.topic)]) {
      if (!gone.has(session.userId)) continue;
      this.#options.onDropped(session, watched);
      this.#leave(session, watched);
    }
    if (watched.standings.size === 0) return false;
    watched.memberVersion = oldest(watched.standings);
    watched.newestVersion = Math.max(watched.newestVersion, watched.memberVersion);
    watched.verifiedAt = askedAt;
    return watched.memberVersion > before;
  }

  #armPoll(): void {
    if (this.#stopped) return;
    this.#cancelPoll = this.#options.clock.after(this.#options.recheckMs, () => this.#runPoll());
  }

  #runPoll(): void {
    this.#poll ??= this.#compareVersions()
      .catch((error: unknown) =>
        this.#options.log.warn({ err: error, code: toNudgeError(error).code }, 'membership versions could not be read'),
      )
      .finally(() => {
        this.#poll = undefined;
        this.#armPoll();
      });
  }

  async #compareVersions(): Promise<void> {
    const all = [...this.#watched.values()].filter((watched) => watched.standings.size > 0);
    if (all.length === 0) return;
    const askedAt = this.#options.clock.now();
    const versions = await this.#options.membership.versions(all.map((watched) => watched.id));
    const changed: Promise<void>[] = [];
    for (const watched of all) {
      const version = versions.get(watched.id);
      if (version !== undefined && version === watched.memberVersion && version >= watched.newestVersion) {
        if (askedAt > watched.verifiedAt) watched.verifiedAt = askedAt;
        continue;
      }
      if (version !== undefined && version > watched.newestVersion) watched.newestVersion = version;
      changed.push(this.#recheck(watched));
    }
    await Promise.all(changed);
  }
}

function oldest(standings: ReadonlyMap<string, Standing>): number {
  let version = Number.POSITIVE_INFINITY;
  for (const standing of standings.values()) version = Math.min(version, standing.memberVersion);
  return version;
}
