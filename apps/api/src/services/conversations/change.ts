/** What a change did: the seq of its entry, or that there was nothing to change. */
export interface Change {
  readonly seq: number | null;
  readonly changed: boolean;
}
