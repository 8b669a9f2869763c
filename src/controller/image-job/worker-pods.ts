import type { RemovedFromNode } from '../../core/cluster/summarise-job.ts';
import type { Copy } from '../ports.ts';
import { isLive, type PodFacts } from './pod-facts.ts';

/**
 * The worker pods as they are, those among them that this process has made and that the copy does not have yet. A pod that the copy has once had, and
 * has no more, is gone.
 */
export class WorkerPods {
  readonly #copy: Copy<PodFacts>;
  /** By pod name. */
  readonly #made = new Map<string, { readonly pod: PodFacts; isSeen: boolean }>();

  /** By uid of the job, then by node: what came of it, as it is in the history. */
  readonly #reported = new Map<string, Map<string, RemovedFromNode>>();

  constructor(copy: Copy<PodFacts>) {
    this.#copy = copy;
  }

  /** The API server has made it. */
  add(pod: PodFacts): void {
    if (this.#made.has(pod.name)) return;
    // The copy may have had it before the answer was here; then it is gone when the copy has it no more.
    this.#made.set(pod.name, { pod, isSeen: this.#copy.values().some(({ uid }) => uid === pod.uid) });
  }

  /** The copy was told of a pod of this name. */
  notice(name: string): void {
    const made = this.#made.get(name);
    if (made !== undefined) made.isSeen = true;
  }

  /** null: neither has this process made it, nor does the copy have it. */
  find(uid: string): PodFacts | null {
    for (const pod of this.#all()) if (pod.uid === uid) return pod;
    return null;
  }

  isMade(name: string): boolean {
    return this.#made.has(name);
  }

  /** The results of a node that were completed are in the history: whatever its pod still does, or whether it is still there, its work is done. */
  noteReported({ job, node }: { readonly job: string; readonly node: string }, removed: RemovedFromNode): void {
    this.#reported.set(job, (this.#reported.get(job) ?? new Map<string, RemovedFromNode>()).set(node, removed));
  }

  /** By node: the results that this process has seen. */
  reportedOf(jobUid: string): ReadonlyMap<string, RemovedFromNode> {
    return this.#reported.get(jobUid) ?? new Map<string, RemovedFromNode>();
  }

  /** Lets go of what is known of a run that is over. */
  forget(jobUid: string): void {
    this.#reported.delete(jobUid);
    for (const [name, { pod }] of this.#made) if (pod.job.uid === jobUid) this.#made.delete(name);
  }

  /** By pod name. */
  of(jobUid: string): Map<string, PodFacts> {
    return new Map([...this.#all()].filter((pod) => pod.job.uid === jobUid).map((pod) => [pod.name, pod]));
  }

  /** The nodes on which pods of other runs may still work. */
  occupiedBesides(jobUid: string): Set<string> {
    return new Set([...this.#all()].flatMap((pod) => (pod.job.uid !== jobUid && isLive(pod) && pod.node !== null ? [pod.node] : [])));
  }

  *#all(): Generator<PodFacts> {
    const names = new Set<string>();
    for (const pod of this.#copy.values()) {
      names.add(pod.name);
      yield pod;
    }
    for (const [name, { pod, isSeen }] of this.#made) if (!isSeen && !names.has(name)) yield pod;
  }
}
