import { type Clock, type Logger, toNudgeError, userTopic } from '@nudge/server-kit';
import type { UserOf, UserRelations } from './membership.ts';
import { QuestionBatcher } from './question-batcher.ts';

/** What stands between one user of this gateway and the others; shared by the user's sessions. */
export class Relation implements UserOf {
  readonly appId: string;
  readonly userId: string;
  /** Bus topic of the user, and the room of its watching sockets. */
  readonly topic: string;
  /** Sessions that share it; 0 when it is forgotten. */
  holds = 0;
  /** Users it blocks or is blocked by. */
  related: ReadonlySet<string> = nobody;
  /** The rooms of those. */
  rooms: readonly string[] = noRooms;
  /** Whether its presence is nobody's business; so until the primary says otherwise. */
  hidden = true;
  /** When the primary was last asked with success, ms; infinitely long ago until then. */
  verifiedAt = Number.NEGATIVE_INFINITY;
  /** Changes announced, and how many of them the last read has seen. */
  announced = 0;
  seen = 0;
  /** The first attempt to read it failed: what the user's sessions do was done without it. */
  hasFailed = false;
  /** Settled after the first attempt to read it, whatever came of that. */
  first: Promise<void> = Promise.resolve();
  /** The read on its way, and whether another has to follow. */
  loading: Promise<void> | undefined = undefined;
  again = false;

  constructor(appId: string, userId: string, topic: string) {
    this.appId = appId;
    this.userId = userId;
    this.topic = topic;
  }

  get isLoaded(): boolean {
    return this.verifiedAt !== Number.NEGATIVE_INFINITY;
  }

  /** Whether a change was announced that has not been read yet. */
  get isUnsure(): boolean {
    return this.announced > this.seen;
  }
}

const nobody: ReadonlySet<string> = new Set();
const noRooms: readonly string[] = Object.freeze([]);

/** What a newer state of the primary changed in a relation. */
export interface RelationChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** `hidden` is another than before. */
  readonly visibility: boolean;
}

/** Times in ms. */
export interface RelationOptions {
  readonly source: { relations(users: readonly UserOf[]): Promise<readonly UserRelations[]> };
  readonly clock: Clock;
  readonly log: Logger;
  /** How often the relations in use are compared with the primary's. */
  readonly recheckMs: number;
  /** Age of the last comparison above which nothing ephemeral passes. */
  readonly staleMs: number;
  /** Relations not in use that each comparison takes along, in turn. */
  readonly idlePerRecheck?: number;
  /** Whether a session of the user hears ephemeral events of others. */
  readonly inUse: (relation: Relation) => boolean;
  /** Not called for the first state of a relation. */
  readonly onChange: (relation: Relation, change: RelationChange) => void;
}

/**
 * Blocks and privacy of the users who have a session here: read once per user, again when the bus says that they changed, and compared with
 * the primary every `recheckMs` in case that word was lost. What one of two users blocks is known to both sides, hence whoever emits knows
 * whom to leave out, on whatever gateway that one is. Between users without blocks nothing is computed per event.
 *
 * While it is not known for certain nothing passes: not from or to a user whose change is being read, not before the first read (who cannot
 * watch before it), and for nobody once the primary has not answered for `staleMs`.
 */
export class Relations {
  readonly #options: RelationOptions;
  readonly #batcher: QuestionBatcher<UserOf, UserRelations>;
  readonly #byTopic = new Map<string, Relation>();
  /** Topic of a user -> topics of the users here who are related to it. */
  readonly #around = new Map<string, Set<string>>();
  /** Topics of users whose change is being read. */
  readonly #unsure = new Set<string>();
  /** Where the next comparison goes on among those not in use. */
  #idle: Iterator<Relation> | undefined;
  #verifiedAt: number;
  #cancelPoll: (() => void) | undefined;
  #poll: Promise<void> | undefined;
  /** Everything is to be read again, by the next comparison. */
  #all = false;
  #stopped = false;

  constructor(options: RelationOptions) {
    this.#options = options;
    this.#batcher = new QuestionBatcher((users) => options.source.relations(users));
    this.#verifiedAt = options.clock.now();
  }

  /** Users known. */
  get size(): number {
    return this.#byTopic.size;
  }

  start(): void {
    this.#verifiedAt = this.#options.clock.now();
    this.#armPoll();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelPoll?.();
    const loading = [...this.#byTopic.values()].map((relation) => relation.loading);
    await Promise.all([this.#poll, ...loading]);
  }

  /** The user's relation, for one more session. The bus subscription to the user's topic is in force: a later change is heard. */
  hold(appId: string, userId: string): Relation {
    const topic = userTopic(appId, userId);
    let relation = this.#byTopic.get(topic);
    if (relation === undefined) {
      relation = new Relation(appId, userId, topic);
      this.#byTopic.set(topic, relation);
      const fresh = relation;
      relation.first = this.#load(fresh).then(() => {
        fresh.hasFailed = !fresh.isLoaded;
      });
    }
    relation.holds++;
    return relation;
  }

  release(relation: Relation): void {
    if (--relation.holds > 0) return;
    this.#byTopic.delete(relation.topic);
    this.#unsure.delete(relation.topic);
    for (const other of relation.related) this.#unlink(userTopic(relation.appId, other), relation.topic);
  }

  /** Resolves once the relation is known as well as one in use is; rejects when the primary does not say. */
  async ready(relation: Relation): Promise<void> {
    if (this.#isCurrent(relation)) return;
    await this.#load(relation);
    if (!this.#isCurrent(relation)) throw new Error('The blocks of a user could not be read');
  }

  /** The bus says that the user's blocks or privacy changed. */
  onUser(topic: string): void {
    const relation = this.#byTopic.get(topic);
    if (relation === undefined) return;
    relation.announced++;
    this.#unsure.add(topic);
    void this.#load(relation);
  }

  /** Rooms that are not to hear what the user says; `undefined` while that is not certain, and then nobody is. */
  deafTo(relation: Relation): readonly string[] | undefined {
    if (relation.isUnsure || !relation.isLoaded || !this.isReliable) return undefined;
    return this.#unsure.size === 0 ? relation.rooms : [...relation.rooms, ...this.#unsure];
  }

  /** Rooms of this gateway's users that are not to hear of a user of any gateway; `undefined` as above. */
  deafHere(appId: string, userId: string): readonly string[] | undefined {
    const topic = userTopic(appId, userId);
    if (!this.isReliable || this.#unsure.has(topic)) return undefined;
    const around = this.#around.get(topic);
    if (around === undefined && this.#unsure.size === 0) return noRooms;
    return [...(around ?? noRooms), ...this.#unsure];
  }

  /** Words of the bus may have been lost: everything is read again. */
  recheckAll(): void {
    this.#all = true;
    this.#cancelPoll?.();
    this.#runPoll();
  }

  /** Whether the primary has confirmed lately what is known. */
  get isReliable(): boolean {
    return this.#options.clock.now() - this.#verifiedAt <= this.#options.staleMs;
  }

  #isCurrent(relation: Relation): boolean {
    return !relation.isUnsure && this.#options.clock.now() - relation.verifiedAt <= this.#options.staleMs;
  }

  /** Reads one relation; a read that is on its way may have begun too early, so another follows it. Never rejects. */
  #load(relation: Relation): Promise<void> {
    if (relation.loading !== undefined) {
      relation.again = true;
      return relation.loading;
    }
    relation.loading = this.#read(relation).finally(() => {
      relation.loading = undefined;
    });
    return relation.loading;
  }

  async #read(relation: Relation): Promise<void> {
    do {
      relation.again = false;
      await this.#ask([relation]);
    } while (relation.again && relation.holds > 0 && !this.#stopped);
  }

  /** Answers whether the primary did. The batcher asks one question after the other, so no older state overwrites a newer one. */
  async #ask(relations: readonly Relation[]): Promise<boolean> {
    const { clock, log } = this.#options;
    const askedAt = clock.now();
    // A change that is announced while the question is on its way may not be in its answer.
    const announced = relations.map((relation) => relation.announced);
    try {
      const answers = await this.#batcher.ask(relations);
      for (const [i, relation] of relations.entries()) {
        const answer = answers[i];
        if (answer === undefined || relation.holds === 0) continue;
        relation.seen = announced[i] ?? 0;
        if (!relation.isUnsure) this.#unsure.delete(relation.topic);
        this.#apply(relation, answer, askedAt);
      }
      return true;
    } catch (error) {
      log.warn({ err: error, code: toNudgeError(error).code }, 'the blocks of users could not be read');
      return false;
    }
  }

  #apply(relation: Relation, { related, hidden }: UserRelations, askedAt: number): void {
    const isNews = relation.isLoaded || relation.hasFailed;
    const added = related.filter((other) => !relation.related.has(other));
    const removed = related.length - added.length === relation.related.size ? [] : missing(relation.related, related);
    const visibility = hidden !== relation.hidden;
    relation.verifiedAt = askedAt;
    relation.hidden = hidden;
    if (added.length > 0 || removed.length > 0) {
      const topicOf = (other: string) => userTopic(relation.appId, other);
      for (const other of added) this.#link(topicOf(other), relation.topic);
      for (const other of removed) this.#unlink(topicOf(other), relation.topic);
      relation.related = related.length === 0 ? nobody : new Set(related);
      relation.rooms = related.length === 0 ? noRooms : related.map(topicOf);
    } else if (!visibility) return;
    if (isNews) this.#options.onChange(relation, { added, removed, visibility });
  }

  #link(topic: string, here: string): void {
    const around = this.#around.get(topic);
    if (around === undefined) this.#around.set(topic, new Set([here]));
    else around.add(here);
  }

  #unlink(topic: string, here: string): void {
    const around = this.#around.get(topic);
    if (around?.delete(here) && around.size === 0) this.#around.delete(topic);
  }

  #armPoll(): void {
    if (this.#stopped) return;
    this.#cancelPoll = this.#options.clock.after(this.#options.recheckMs, () => this.#runPoll());
  }

  #runPoll(): void {
    this.#poll ??= this.#compare().finally(() => {
      this.#poll = undefined;
      if (this.#all && !this.#stopped) this.#runPoll();
      else this.#armPoll();
    });
  }

  /** Reads again what is in use or not certain, and a part of the rest. */
  async #compare(): Promise<void> {
    const all = this.#all;
    this.#all = false;
    const { clock, inUse, idlePerRecheck = 1_000 } = this.#options;
    const startedAt = clock.now();
    const due = [...this.#byTopic.values()].filter((relation) => all || relation.isUnsure || !relation.isLoaded || inUse(relation));
    if (!all) due.push(...this.#nextIdle(idlePerRecheck, new Set(due)));
    let answered = true;
    for (let from = 0; from < due.length && answered && !this.#stopped; from += perStatement) {
      answered = await this.#ask(due.slice(from, from + perStatement));
    }
    if (answered) this.#verifiedAt = startedAt;
  }

  #nextIdle(count: number, taken: ReadonlySet<Relation>): Relation[] {
    const next: Relation[] = [];
    this.#idle ??= this.#byTopic.values();
    for (let i = 0; i < count; i++) {
      const { value, done } = this.#idle.next();
      if (done) {
        this.#idle = undefined;
        break;
      }
      if (!taken.has(value)) next.push(value);
    }
    return next;
  }
}

/** Users asked about in one statement of a comparison: handshakes come in between. */
const perStatement = 1_000;

function missing(before: ReadonlySet<string>, now: readonly string[]): string[] {
  const kept = new Set(now);
  return [...before].filter((other) => !kept.has(other));
}
