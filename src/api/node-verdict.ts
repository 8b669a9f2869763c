/** What is kept of an image that a node of a cluster has read. Times in milliseconds since the epoch. */
export interface NodeVerdict {
  readonly node: string;
  readonly imageId: string;
  /** As the last run that decided on it had them; none where no run has yet. */
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly scanner: { readonly name: string; readonly version: string };
  /** null: what was read is not kept, its report is. */
  readonly readAt: number | null;
  /** By the vulnerability database of then; null: there is no report. */
  readonly judgedAt: number | null;
}
