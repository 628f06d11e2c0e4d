import { type Act, actOf, expiryOf, outdates } from './entry-text.ts';
import { holds, lastOf, merge, type Run, trim } from './run.ts';

/**
 * A run as a tail keeps it. Its texts are those of a state whose head is the run's end, but for the stale ones: since they were read an
 * acting entry has changed what they show, or their time is over. A stale text is never served.
 */
export interface KeptRun extends Run {
  /** Seqs of the texts that are stale. */
  readonly stale: ReadonlySet<number>;
  /** No text that is not stale expires before this, ms. */
  readonly expiresAt: number;
}

const NONE: ReadonlySet<number> = new Set();

/**
 * What is kept once a stretch was read, see {@link merge}. A newer state makes those kept texts stale that its acting entries change; an
 * older one fills in for stale texts, and adds to the run, only what no acting entry after it changes.
 *
 * @param head head of the state that `read` was read from
 */
export function absorb(kept: KeptRun | undefined, read: Run, head: number): KeptRun | undefined {
  const merged = merge(kept, read, head);
  if (merged === undefined) return undefined;
  if (kept === undefined || merged === read) return { first: read.first, texts: read.texts, stale: NONE, expiresAt: earliest(read.texts) };
  return head > lastOf(kept) ? advance(kept, read, merged) : complete(kept, read, merged, head);
}

/** Whether the run holds every entry of `[from, to]` as it now is. */
export function holdsFresh(kept: KeptRun, from: number, to: number): boolean {
  return holds(kept, from, to) && firstStale(kept, from, to) === undefined;
}

/** The first stale seq of `[from, to]`. */
export function firstStale({ stale }: KeptRun, from: number, to: number): number | undefined {
  let first: number | undefined;
  for (const seq of stale) if (seq >= from && seq <= to && (first === undefined || seq < first)) first = seq;
  return first;
}

/** The run at a time: whatever has expired by then is stale. The same object when nothing has. */
export function expire(kept: KeptRun, now: number): KeptRun {
  if (now < kept.expiresAt) return kept;
  const stale = new Set(kept.stale);
  let expiresAt = Number.POSITIVE_INFINITY;
  kept.texts.forEach((text, i) => {
    const seq = kept.first + i;
    if (stale.has(seq)) return;
    const at = expiryOf(text);
    if (at <= now) stale.add(seq);
    else expiresAt = Math.min(expiresAt, at);
  });
  return { ...kept, stale, expiresAt };
}

/** The newest part of a run, see {@link trim}. */
export function trimKept(kept: KeptRun, maxEntries: number, maxBytes: number): KeptRun {
  const run = trim(kept, maxEntries, maxBytes);
  return run === kept ? kept : { first: run.first, texts: run.texts, stale: from(kept.stale, run.first), expiresAt: kept.expiresAt };
}

/** The kept texts below what was read are of an older state than the new head. */
function advance(kept: KeptRun, read: Run, { first, texts }: Run): KeptRun {
  const expiresAt = Math.min(kept.expiresAt, earliest(read.texts));
  const acts = actsAbove(read, lastOf(kept));
  if (acts.length === 0 && kept.stale.size === 0) return { first, texts, stale: NONE, expiresAt };
  const stale = new Set([...kept.stale].filter((seq) => seq < read.first));
  markOutdated(stale, texts.slice(0, read.first - first), first, acts);
  return { first, texts, stale: stale.size === 0 ? NONE : stale, expiresAt };
}

/** What was read is of a state that is no newer than the run. The run holds every entry that the state lacks, or `read` cannot help. */
function complete(kept: KeptRun, read: Run, merged: Run, head: number): KeptRun {
  const added = merged === kept ? [] : read.texts.slice(0, kept.first - read.first);
  const due = [...kept.stale].filter((seq) => seq >= read.first && seq <= lastOf(read));
  if ((added.length === 0 && due.length === 0) || head < kept.first - 1) return kept;
  const acts = actsAbove(kept, head);
  const stale = new Set(kept.stale);
  markOutdated(stale, added, read.first, acts);
  const texts = [...merged.texts];
  const fresh = [...added];
  for (const seq of due) {
    const text = read.texts[seq - read.first] ?? '';
    if (acts.some((act) => outdates(act, seq, text))) continue;
    texts[seq - merged.first] = text;
    stale.delete(seq);
    fresh.push(text);
  }
  if (fresh.length === 0) return kept;
  return { first: merged.first, texts, stale: stale.size === 0 ? NONE : stale, expiresAt: Math.min(kept.expiresAt, earliest(fresh)) };
}

/** What the entries of the run above a seq do to others. */
function actsAbove(run: Run, seq: number): readonly Act[] {
  const acts: Act[] = [];
  for (let i = Math.max(0, seq + 1 - run.first); i < run.texts.length; i += 1) {
    const act = actOf(run.texts[i] ?? '');
    if (act !== undefined) acts.push(act);
  }
  return acts;
}

function markOutdated(stale: Set<number>, texts: readonly string[], first: number, acts: readonly Act[]): void {
  texts.forEach((text, i) => {
    if (acts.some((act) => outdates(act, first + i, text))) stale.add(first + i);
  });
}

function from(stale: ReadonlySet<number>, first: number): ReadonlySet<number> {
  if (stale.size === 0) return NONE;
  const kept = [...stale].filter((seq) => seq >= first);
  return kept.length === 0 ? NONE : new Set(kept);
}

function earliest(texts: readonly string[]): number {
  let at = Number.POSITIVE_INFINITY;
  for (const text of texts) at = Math.min(at, expiryOf(text));
  return at;
}
