/**
 * A node with images, as the kubelet's image garbage collection and Image Cleaner both see it. Times are in whole seconds since the scenario
 * began, sizes in bytes. `main.go` reads the same shape, and leaves out what the kubelet does not know of.
 */
export interface Scenario {
  readonly name: string;
  /** Seconds. */
  readonly minAge: number;
  /** Seconds; 0: off, as in the kubelet's configuration. */
  readonly maxAge: number;
  /** Per cent of the filesystem. */
  readonly high: number;
  readonly low: number;
  readonly capacity: number;
  readonly available: number;
  readonly now: number;
  /** The kubelet knows of nothing that was before. */
  readonly kubeletStartedAt: number;
  readonly images: readonly ScenarioImage[];
  /** What becomes of the machine and its clock meanwhile, in order of time. */
  readonly incidents: readonly Incident[];
  /** False: Image Cleaner runs without one. */
  readonly history: boolean;
}

export interface ScenarioImage {
  readonly id: string;
  /** What the runtime reports. */
  readonly size: number;
  /** What it occupies on the disk. */
  readonly units: readonly { readonly key: string; readonly bytes: number }[];
  readonly seenAt: number;
  /** A container had it at this moment, and at no other before now. */
  readonly usedAt: number | null;
  /** No run of Image Cleaner's was at that moment. */
  readonly useMissed: boolean;
  readonly use: ImageUse;
  readonly pinned: boolean;
  /** The runtime starts pods with it, but has not pinned it. */
  readonly sandbox: boolean;
}

/** What has the image now. */
export type ImageUse =
  | ''
  /** A container of a pod, as its image or as a volume. */
  | 'container'
  | 'volume'
  /** A pod that is bound to the node and has no container yet. */
  | 'pending-pod'
  /** A container that was made beside CRI. */
  | 'beside-cri';

export type Incident =
  | { readonly kind: 'clock-step'; readonly at: number; readonly seconds: number }
  /** The wall clock is `seconds` further on afterwards than time has gone by. */
  | { readonly kind: 'reboot'; readonly at: number; readonly seconds: number };

/** What the kubelet knows of an image: since its start, and no more than it has seen. */
function kubeletKnows({ kubeletStartedAt }: Scenario, { seenAt, usedAt }: ScenarioImage): { seenAt: number; usedAt: number | null } {
  return { seenAt: Math.max(seenAt, kubeletStartedAt), usedAt: usedAt !== null && usedAt >= kubeletStartedAt ? usedAt : null };
}

/** Images that the kubelet cannot tell apart have the same key: it leaves their order to chance. */
export function kubeletOrderKey(scenario: Scenario, image: ScenarioImage): string {
  const { seenAt, usedAt } = kubeletKnows(scenario, image);
  return `${String(usedAt)} ${String(seenAt)}`;
}

/** Of images that are removed by chance, those with the lowest ids: so that one run of the kubelet's compares with another. */
export function withoutChance(scenario: Scenario, removed: readonly string[]): string[] {
  const equals = new Map<string, string[]>();
  for (const image of scenario.images) {
    if (image.pinned || image.use === 'container' || image.use === 'volume') continue;
    const key = kubeletOrderKey(scenario, image);
    equals.set(key, [...(equals.get(key) ?? []), image.id].sort());
  }
  const taken = [...equals.values()].flatMap((ids) => ids.slice(0, ids.filter((id) => removed.includes(id)).length));
  return taken.sort();
}
