import type { Conversation, ConversationType, Entry, History } from '@nudge/types';

/** What is known of the conversation itself. Fields of which nothing told are absent. */
export interface ConversationState {
  /** Last entry folded in, or the seq a snapshot was made at; 0 while nothing is known. */
  readonly stateSeq: number;
  readonly type?: ConversationType;
  readonly history?: History;
  readonly createdBy?: string;
  readonly title?: string | null;
  readonly avatarUrl?: string | null;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
  /** Read-only but for moderators and owners. */
  readonly frozen?: boolean;
  /** Least time between two messages of one member; 0 = none. */
  readonly slowModeSeconds?: number;
  /** How long entries keep their content; 0 = for ever. */
  readonly retentionSeconds?: number;
}

type Change = Omit<ConversationState, 'stateSeq'>;

/** The state after an entry; the same object when it says nothing of it or is folded in already. */
export function foldState(state: ConversationState, { seq, type, body }: Entry): ConversationState {
  if (body == null || seq <= state.stateSeq) return state;
  if (type === 'conversation.updated') return { ...state, ...changeOf(body), stateSeq: seq };
  if (type !== 'conversation.created') return state;
  const createdBy = typeof body.by === 'string' ? { createdBy: body.by } : {};
  const fresh = { title: text(body.title), avatarUrl: null, frozen: false, slowModeSeconds: 0, retentionSeconds: 0 };
  return { ...state, ...kindOf(body), ...createdBy, ...fresh, stateSeq: seq };
}

/** What older entries tell, under what newer ones told already. */
export function underState(older: ConversationState, newer: ConversationState): ConversationState {
  return older.stateSeq === 0 ? newer : { ...older, ...newer, stateSeq: Math.max(older.stateSeq, newer.stateSeq) };
}

/** The state by an answer of `GET /v1/conversations/{id}`, which stands at its `lastSeq`; an answer older than what is known changes nothing. */
export function stateOf(conversation: Conversation, known: ConversationState): ConversationState {
  if (conversation.lastSeq < known.stateSeq) return known;
  const { type, history, createdBy, title, avatarUrl, metadata, frozen, slowModeSeconds, retentionSeconds, lastSeq } = conversation;
  return { type, history, createdBy, title, avatarUrl, metadata, frozen, slowModeSeconds, retentionSeconds, stateSeq: lastSeq };
}

/** Only what changed is named; null clears. */
function changeOf(body: Readonly<Record<string, unknown>>): Change {
  return {
    ...(body.title === undefined ? {} : { title: text(body.title) }),
    ...(body.avatarUrl === undefined ? {} : { avatarUrl: text(body.avatarUrl) }),
    ...(body.metadata === undefined ? {} : { metadata: body.metadata as Record<string, unknown> | null }),
    ...(body.frozen === undefined ? {} : { frozen: body.frozen === true }),
    ...(body.slowModeSeconds === undefined ? {} : { slowModeSeconds: seconds(body.slowModeSeconds) }),
    ...(body.retentionSeconds === undefined ? {} : { retentionSeconds: seconds(body.retentionSeconds) }),
  };
}

function kindOf({ type, history }: Readonly<Record<string, unknown>>): Pick<Change, 'type' | 'history'> {
  return {
    ...(type === 'direct' || type === 'group' || type === 'channel' ? { type } : {}),
    ...(history === 'full' || history === 'since_join' ? { history } : {}),
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function seconds(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
