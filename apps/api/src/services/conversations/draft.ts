import { NudgeError } from '@nudge/server-kit';
import type { ConversationType, History, JsonObject, Limits } from '@nudge/types';
import { directConversationId, keyedConversationId, newConversationId } from './conversation-id.ts';

/** A request for a new conversation, as it came. */
export interface ConversationRequest {
  readonly type: ConversationType;
  readonly members?: readonly string[] | null | undefined;
  readonly title?: string | null | undefined;
  readonly metadata?: JsonObject | null | undefined;
  readonly history?: History | null | undefined;
  readonly key?: string | null | undefined;
}

/** A request made definite. `derived`: the same request leads to the same id, so the conversation may exist already. */
export interface ConversationDraft {
  readonly id: string;
  readonly derived: boolean;
  readonly type: ConversationType;
  /** Without the creator, each once. */
  readonly members: readonly string[];
  readonly title: string | null;
  /** JSON text. */
  readonly metadata: string | null;
  readonly history: History;
}

/**
 * Makes a request definite. Members are a set: the creator belongs to it anyway, and naming somebody twice means once. Throws
 * `invalid_request` for a direct conversation without exactly one other member, with a key or with a title, `too_large` for metadata over its limit.
 */
export function draftConversation(
  appId: string,
  creatorId: string,
  request: ConversationRequest,
  limits: Pick<Limits, 'metadataBytes'>,
): ConversationDraft {
  const { type, key } = request;
  const members = [...new Set(request.members ?? [])].filter((userId) => userId !== creatorId);
  const common = {
    type,
    members,
    title: request.title ?? null,
    metadata: metadataText(request.metadata, limits),
    history: request.history ?? 'full',
  };
  if (type === 'direct') {
    const [other] = members;
    if (other === undefined || members.length > 1) {
      throw invalid('body.members', 'a direct conversation has exactly one other member: name one user who is not the creator');
    }
    if (key !== undefined && key !== null) throw invalid('body.key', 'a direct conversation exists once per pair: leave out key');
    if (common.title !== null) throw invalid('body.title', 'a direct conversation has no title: leave it out');
    return { ...common, id: directConversationId(appId, creatorId, other), derived: true };
  }
  if (key !== undefined && key !== null) return { ...common, id: keyedConversationId(appId, creatorId, key), derived: true };
  return { ...common, id: newConversationId(), derived: false };
}

/** Metadata as JSON text; throws `too_large` above its limit. */
export function metadataText(metadata: JsonObject | null | undefined, limits: Pick<Limits, 'metadataBytes'>): string | null {
  if (metadata === null || metadata === undefined) return null;
  const text = JSON.stringify(metadata);
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.metadataBytes) {
    throw new NudgeError('too_large', {
      detail: `metadata of ${bytes} bytes; at most ${limits.metadataBytes} (metadataBytes)`,
    });
  }
  return text;
}

function invalid(path: string, message: string): NudgeError {
  return new NudgeError('invalid_request', { detail: message, issues: [{ path, message }] });
}
