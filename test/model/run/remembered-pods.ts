import type { PodFacts } from '../../../src/controller/image-job/pod-facts.ts';
import { WorkerPods } from '../../../src/controller/image-job/worker-pods.ts';
import type { RemovedFromNode } from '../../../src/core/cluster/summarise-job.ts';
import { REMOVED, placeOf } from './raw-objects.ts';
import { indexOf, jobUid, nodeName, type Memory } from './state.ts';

type Remembered = Pick<Memory, 'made' | 'reported'>;

/** The real one, brought to what a process remembers by its own calls, and what it remembers then. */
export class RememberedPods extends WorkerPods {
  readonly #looks: ReadonlyMap<string, PodFacts>;
  readonly #made = new Map<string, Memory['made'][number]>();
  #reported: Memory['reported'] = [];

  constructor({ pods, made, reported }: Memory, factsOf: (look: string) => PodFacts) {
    const looks = new Map(Object.entries(pods).map(([name, look]) => [name, factsOf(look)]));
    const facts = [...looks.values()];
    super({ values: () => facts });
    this.#looks = looks;
    for (const { name, look, isSeen } of made) {
      super.add(factsOf(look));
      if (isSeen) super.notice(name);
      this.#made.set(name, { name, look, isSeen });
    }
    for (const { job, node } of reported) super.noteReported({ job: jobUid(job), node: nodeName(node) }, REMOVED);
    this.#reported = reported;
  }

  get remembered(): Remembered {
    return { made: [...this.#made.values()].sort(byName), reported: this.#reported };
  }

  override add(pod: PodFacts): void {
    super.add(pod);
    if (this.#made.has(pod.name)) return;
    const { job, node } = placeOf(pod.name);
    const look = `${String(job)} ${String(node)} ${String(indexOf(pod.uid))} ${pod.phase === '' ? 'new' : atOf(pod)}${pod.isBeingDeleted ? ' deleting' : ''}`;
    this.#made.set(pod.name, { name: pod.name, look, isSeen: this.#looks.get(pod.name)?.uid === pod.uid });
  }

  override noteReported(of: { readonly job: string; readonly node: string }, removed: RemovedFromNode): void {
    super.noteReported(of, removed);
    this.#reported = withReported(this.#reported, { job: indexOf(of.job), node: indexOf(of.node) });
  }

  override forget(job: string): void {
    super.forget(job);
    for (const [name] of this.#made) if (placeOf(name).job === indexOf(job)) this.#made.delete(name);
    this.#reported = this.#reported.filter((one) => one.job !== indexOf(job));
  }
}

/** Each node once, in order. */
export function withReported(reported: Memory['reported'], { job, node }: Memory['reported'][number]): Memory['reported'] {
  const others = reported.filter((one) => one.job !== job || one.node !== node);
  return [...others, { job, node }].sort((a, b) => a.job - b.job || a.node - b.node);
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1;
}

/** How a pod is that was found, by what is known of it. */
function atOf({ phase, containers }: PodFacts): string {
  if (phase === 'Pending') return 'new';
  if (phase === 'Running') return containers.some(({ state }) => state.kind === 'failed') ? 'failing' : 'running';
  return phase.toLowerCase();
}
