import type {
  ConversationState,
  Membership,
  OwnReactions,
  PageRead,
  PageRows,
  Pair,
  PullStore,
  ReactedEntries,
  Standing,
} from '../store/pull-store.ts';
import { foldEntries, type NaiveOp } from './naive-entries.ts';

interface Conversation {
  state: ConversationState;
  readonly ops: NaiveOp[];
  readonly members: Map<string, Membership>;
  /** Every joining of a user. */
  readonly starts: Map<string, readonly number[]>;
}

/** Every statement passes here before its snapshot is taken and again before its answer leaves. */
export type Gate = (label: string) => Promise<void>;

/** The truth in its plainest form, for tests: conversations as arrays, snapshots as copies. */
export class NaiveLog {
  readonly #conversations = new Map<string, Conversation>();
  readonly #render: (ops: readonly NaiveOp[]) => string[];

  /** @param render the wire JSON of the entries of a log */
  constructor(render: (ops: readonly NaiveOp[]) => string[] = (ops) => ops.map((_, i) => `{"seq":${i + 1}}`)) {
    this.#render = render;
  }

  create(id: string, appId: string, userIds: readonly string[], history: 'full' | 'since_join' = 'full'): void {
    const state = { appId, lastSeq: 0, oldestSeq: 1, history, memberVersion: 1 };
    const conversation: Conversation = { state, ops: [], members: new Map(), starts: new Map() };
    this.#conversations.set(id, conversation);
    this.append(id);
    for (const userId of userIds) {
      conversation.members.set(userId, { joinedSeq: 1, leftSeq: null });
      conversation.starts.set(userId, [1]);
    }
  }

  /** Appends one entry and returns its seq. */
  append(id: string, op: NaiveOp = { type: 'message' }): number {
    const { state, ops } = this.#the(id);
    const seq = state.lastSeq + 1;
    ops.push(op);
    this.#the(id).state = { ...state, lastSeq: seq };
    return seq;
  }

  join(id: string, userId: string): void {
    const seq = this.append(id);
    this.#change(id, userId, { joinedSeq: seq, leftSeq: null });
    const { starts } = this.#the(id);
    starts.set(userId, [...(starts.get(userId) ?? []), seq]);
  }

  leave(id: string, userId: string): void {
    const joinedSeq = this.#the(id).members.get(userId)?.joinedSeq ?? 0;
    const seq = this.append(id);
    this.#change(id, userId, { joinedSeq, leftSeq: seq });
  }

  /** What was appended, up to a seq. */
  ops(id: string, head = this.head(id)): readonly NaiveOp[] {
    return this.#the(id).ops.slice(0, head);
  }

  /** The texts of a log as they were when it ended at `head`, at the time that it is now. */
  texts(id: string, head = this.head(id)): readonly string[] {
    return this.#render(this.ops(id, head));
  }

  /** The user's reactions as they were when the log ended at `head`. */
  own(id: string, userId: string, seqs: readonly number[], head = this.head(id)): OwnReactions {
    const states = foldEntries(this.ops(id, head));
    return new Map(seqs.filter((seq) => states[seq - 1]?.users.has(userId)).map((seq) => [seq, ['👍']]));
  }

  isMember(id: string, userId: string): boolean {
    return this.#the(id).members.get(userId)?.leftSeq === null;
  }

  memberVersion(id: string): number {
    return this.#the(id).state.memberVersion;
  }

  head(id: string): number {
    return this.#the(id).state.lastSeq;
  }

  /** The seq with which the user left, if gone. */
  leftSeq(id: string, userId: string): number | null | undefined {
    return this.#the(id).members.get(userId)?.leftSeq;
  }

  /** Every visible start the user ever had here. */
  startsSeen(id: string, userId: string): readonly number[] {
    const { state, starts } = this.#the(id);
    return state.history === 'full' ? [state.oldestSeq] : (starts.get(userId) ?? []);
  }

  /** Becomes a copy of `primary` as it is now. */
  catchUp(primary: NaiveLog): void {
    for (const [id, { state, ops, members, starts }] of primary.#conversations) {
      this.#conversations.set(id, { state, ops: [...ops], members: new Map(members), starts: new Map(starts) });
    }
  }

  /** A server over this truth. */
  store(gate: Gate = async () => undefined): PullStore {
    return {
      readPages: (reads) => this.#answer(gate, 'pages', () => reads.map((read) => this.#page(read))),
      readStandings: (pairs) => this.#answer(gate, 'standings', () => pairs.map((pair) => this.#standing(pair))),
      readOwnReactions: (userId, entries) => this.#answer(gate, 'reactions', () => this.#reactions(userId, entries)),
    };
  }

  async #answer<T>(gate: Gate, label: string, snapshot: () => T): Promise<T> {
    await gate(`${label} snapshot`);
    const answer = snapshot();
    await gate(`${label} answer`);
    return answer;
  }

  #page(read: PageRead): PageRows | undefined {
    const conversation = this.#conversations.get(read.conversationId);
    if (conversation === undefined) return undefined;
    const { state, members } = conversation;
    const texts = this.#render(conversation.ops);
    const from = read.kind === 'after' ? read.seq + 1 : Math.max(1, Math.min(read.seq - 1, state.lastSeq) - read.limit + 1);
    const to = read.kind === 'after' ? Math.min(state.lastSeq, read.seq + read.limit) : Math.min(read.seq - 1, state.lastSeq);
    const member = read.userId === undefined ? undefined : members.get(read.userId);
    return { state, member, first: from, texts: to < from ? [] : texts.slice(from - 1, to) };
  }

  #standing({ conversationId, userId }: Pair): Standing | undefined {
    const conversation = this.#conversations.get(conversationId);
    return conversation && { state: conversation.state, member: conversation.members.get(userId) };
  }

  #reactions(userId: string, entries: readonly ReactedEntries[]): ReadonlyMap<string, OwnReactions> {
    const found = entries.map(({ conversationId, seqs }) => [conversationId, this.own(conversationId, userId, seqs)] as const);
    return new Map(found.filter(([, own]) => own.size > 0));
  }

  #change(id: string, userId: string, membership: Membership): void {
    const conversation = this.#the(id);
    conversation.members.set(userId, membership);
    conversation.state = { ...conversation.state, memberVersion: conversation.state.memberVersion + 1 };
  }

  #the(id: string): Conversation {
    const conversation = this.#conversations.get(id);
    if (conversation === undefined) throw new Error(`no conversation ${id}`);
    return conversation;
  }
}
