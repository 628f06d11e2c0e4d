import type { Reacted } from './own-reactions.ts';

/**
 * Reading an entry's wire JSON without parsing it. Every text begins `{"seq":12,"type":"message",` and an acting one goes on with
 * `"target":5`. Members of ours have no space behind the colon and quotes in strings are escaped, so no body and no name that a user chose
 * can look like one of them: jsonb writes a space there.
 */

/** What an acting entry does to the texts of others. */
export interface Act {
  readonly target: number;
  /** The body of the target changes, and with it what quotes the target and the edits that it has had. */
  readonly rewrites: boolean;
}

const SEQ_AT = '{"seq":'.length;
const TYPE_OPENS = ',"type":"'.length;
const TARGET = '","target":';
/** Behind the type comes `","target"` or `","senderId"`: this far from the end of the type they differ. */
const TELLING = '","'.length;
const LETTER_T = 't'.charCodeAt(0);
const EDIT = 'message.edited';
const REDACTION = 'message.redacted';
const EXPIRES = '"expiresAt":"';
const QUOTES = '"replyTo":{"seq":';
const REACTIONS = '"reactions":[';

/** What the entry does to others; `undefined` for one that does nothing. */
export function actOf(text: string): Act | undefined {
  const targetAt = targetOf(text);
  if (targetAt === undefined) return undefined;
  const type = text.slice(text.indexOf(',', SEQ_AT) + TYPE_OPENS, targetAt - TARGET.length);
  return { target: numberAt(text, targetAt), rewrites: type === EDIT || type === REDACTION };
}

/** Whether the text of entry `seq`, read before the act, is out of date after it. */
export function outdates(act: Act, seq: number, text: string): boolean {
  if (act.target === seq) return true;
  return act.rewrites && (text.includes(`${QUOTES}${act.target},`) || isEditOf(act.target, text));
}

/** When the text stops being true by itself, ms: its own expiry or that of the entry it quotes. A tombstone stays as it is. */
export function expiryOf(text: string): number {
  if (!text.includes(EXPIRES)) return Number.POSITIVE_INFINITY;
  const entry = JSON.parse(text) as Expiring & { readonly replyTo?: Expiring };
  return Math.min(endOf(entry), endOf(entry.replyTo));
}

/** The text for someone who sees nothing before `start`: of what lies there only the seq is named. */
export function masked(text: string, start: number): string {
  const targetAt = targetOf(text);
  if (targetAt !== undefined) return numberAt(text, targetAt) < start ? `${text.slice(0, text.indexOf(',', targetAt))}}` : text;
  const quotesAt = text.indexOf(QUOTES);
  if (quotesAt === -1) return text;
  const seq = numberAt(text, quotesAt + QUOTES.length);
  if (seq >= start) return text;
  return JSON.stringify({ ...(JSON.parse(text) as object), replyTo: { seq } });
}

/** Those entries that carry reactions, where `texts[i]` is entry `first + i` and `joined` is all of them. */
export function reactedOf(texts: readonly string[], first: number, joined: string): readonly Reacted[] {
  if (!joined.includes(REACTIONS)) return NONE;
  return texts.flatMap((text, i) => {
    if (!text.includes(REACTIONS)) return [];
    return [{ seq: first + i, reactions: (JSON.parse(text) as Pick<Reacted, 'reactions'>).reactions }];
  });
}

/** Whether the entry has lost its content for good. */
export function isTombstone(text: string): boolean {
  return (JSON.parse(text) as Expiring).redacted === true;
}

/** Who wrote the entry. */
export function senderOf(text: string): string {
  return (JSON.parse(text) as { readonly senderId: string }).senderId;
}

interface Expiring {
  readonly expiresAt?: string;
  readonly redacted?: true;
}

const NONE: readonly Reacted[] = [];

/** Where the digits of the target are; `undefined` for an entry without one, which a single character tells. */
function targetOf(text: string): number | undefined {
  const end = text.indexOf('"', text.indexOf(',', SEQ_AT) + TYPE_OPENS);
  if (text.charCodeAt(end + TELLING) !== LETTER_T || !text.startsWith(TARGET, end)) return undefined;
  return end + TARGET.length;
}

function isEditOf(target: number, text: string): boolean {
  return text.startsWith(`,"type":"${EDIT}","target":${target},`, text.indexOf(',', SEQ_AT));
}

/** A seq has sixteen digits at most. */
function numberAt(text: string, at: number): number {
  return Number.parseInt(text.slice(at, at + 16), 10);
}

function endOf(expiring: Expiring | undefined): number {
  return expiring?.expiresAt === undefined || expiring.redacted === true ? Number.POSITIVE_INFINITY : Date.parse(expiring.expiresAt);
}
