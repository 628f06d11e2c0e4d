import type { BusMessage, Publication } from '../bus.ts';

/**
 * What could not be published, by what it supersedes: of each topic the newest key of a log, the newest control of a conversation, the
 * newest receipt of a member, one `user`, a kick of a session; no ephemeral packets, and no kick of more than one session, which would end those too
 * that began after it. Above the bound the oldest goes: whoever published
 * was told that the bus refused, and what must arrive is published again by the outbox sweeper. This only makes the repair quicker.
 */
export class Unsent {
  readonly #kept = new Map<string, Publication>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#kept.size;
  }

  keep(publication: Publication): void {
    const what = supersededBy(publication.message);
    if (what === undefined) return;
    const id = `${publication.topic}\n${what}`;
    const present = this.#kept.get(id);
    const message = present === undefined ? publication.message : newest(present.message, publication.message);
    this.#kept.set(id, { topic: publication.topic, message });
    if (this.#kept.size <= this.#max) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }

  /** Takes out what is kept for the topics that `mine` names, oldest first. */
  take(mine: (topic: string) => boolean): Publication[] {
    const taken: Publication[] = [];
    for (const [id, publication] of this.#kept) {
      if (!mine(publication.topic)) continue;
      this.#kept.delete(id);
      taken.push(publication);
    }
    return taken;
  }

  clear(): void {
    this.#kept.clear();
  }
}

/** Messages of a topic with equal answers supersede each other; what is undefined is not worth keeping. */
function supersededBy(message: BusMessage): string | undefined {
  switch (message.kind) {
    case 'key':
      return `k${message.log}`;
    case 'control':
      return `c${message.conversationId}`;
    case 'receipt':
      return `r${message.conversationId},${message.userId}`;
    case 'user':
      return 'u';
    case 'kick':
      return message.sessionId === undefined ? undefined : `x${message.sessionId}`;
    case 'packet':
      return undefined;
  }
}

function newest(before: BusMessage, after: BusMessage): BusMessage {
  if (before.kind === 'key' && after.kind === 'key') {
    const seq = Math.max(before.seq, after.seq);
    const { kind, log } = after;
    return before.direct || after.direct ? { kind, log, seq, direct: true } : { kind, log, seq };
  }
  if (before.kind === 'control' && after.kind === 'control') {
    return {
      ...after,
      memberVersion: Math.max(before.memberVersion, after.memberVersion),
      head: Math.max(before.head, after.head),
    };
  }
  return before.kind === 'receipt' && after.kind === 'receipt' ? { ...before, ...after } : after;
}
