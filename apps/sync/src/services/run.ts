/** A contiguous stretch of a log: `texts[i]` is the wire JSON of entry `first + i`. It may be empty: then it ends at `first - 1`. */
export interface Run {
  readonly first: number;
  readonly texts: readonly string[];
}

/** Seq of the last entry of a run. */
export function lastOf(run: Run): number {
  return run.first + run.texts.length - 1;
}

/** Whether the run holds every entry of `[from, to]`. An empty range is always held. */
export function holds(run: Run, from: number, to: number): boolean {
  return from > to || (from >= run.first && to <= lastOf(run));
}

/** The texts of `[from, to]`, which the run must hold. */
export function cut(run: Run, from: number, to: number): readonly string[] {
  return from > to ? [] : run.texts.slice(from - run.first, to - run.first + 1);
}

/**
 * The longest run that ends at the head, from what is kept and what was just read. Where both hold a seq the text of the newer state
 * stays; which of the older texts are stale then is not judged here.
 *
 * @param kept the run kept so far; it ends at the head as known before
 * @param read a stretch read from a state whose head was `head`
 * @returns a run that ends at the higher of the two heads, or `undefined` when neither stretch reaches it without a hole
 */
export function merge(kept: Run | undefined, read: Run, head: number): Run | undefined {
  const readToHead = lastOf(read) === head;
  if (kept === undefined) return readToHead ? read : undefined;
  const keptLast = lastOf(kept);
  if (head <= keptLast) {
    const joins = read.first < kept.first && lastOf(read) >= kept.first - 1;
    return joins ? { first: read.first, texts: [...read.texts.slice(0, kept.first - read.first), ...kept.texts] } : kept;
  }
  if (!readToHead) return undefined;
  if (read.first <= kept.first || read.first > keptLast + 1) return read;
  return { first: kept.first, texts: [...kept.texts.slice(0, read.first - kept.first), ...read.texts] };
}

/** The newest part of a run within the bounds given: at most `maxEntries` entries and `maxBytes` bytes as counted by {@link bytesOf}. */
export function trim(run: Run, maxEntries: number, maxBytes: number): Run {
  let keep = 0;
  let bytes = 0;
  for (let i = run.texts.length - 1; i >= 0 && keep < maxEntries; i -= 1) {
    bytes += bytesOf(run.texts[i] ?? '');
    if (bytes > maxBytes) break;
    keep += 1;
  }
  const drop = run.texts.length - keep;
  return drop === 0 ? run : { first: run.first + drop, texts: run.texts.slice(drop) };
}

/** What a text is counted with against the cache's bounds: two bytes a unit is what it can cost at most, plus its header. */
export function bytesOf(text: string): number {
  return 2 * text.length + 16;
}
