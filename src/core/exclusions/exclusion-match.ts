export interface ExclusionMatch {
  /** The name of the list. */
  readonly list: string;
  /** The entry as it was written. */
  readonly entry: string;
}
