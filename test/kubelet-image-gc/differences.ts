import type { ImageStorage, NodeContainer, NodeImage } from '../../src/api/inventory.ts';
import { planDiskThresholds, type DiskThresholds } from '../../src/core/disk-pressure.ts';
import type { ImageHistories, ImageHistory } from '../../src/core/image-age.ts';
import type { PlanInput } from '../../src/core/plan-facts.ts';
import { planRemoval, removals } from '../../src/core/plan-removal.ts';
import { container, image as nodeImage, imageId, inventory, planInput } from '../fakes/images.ts';
import type { Scenario, ScenarioImage } from './scenario.ts';

/**
 * What the kubelet does differently from our rules 1, 2 and 6 to 8, each as a change to what our planner is told: told all of them it must
 * decide as the kubelet does, told none it decides as we do. docs/ages-and-disk.md explains them.
 */
export const DIFFERENCES = [
  /** It knows no age and no use from before it was started. */
  'forgets at its start',
  /** It knows ages where we run without a history. */
  'needs no history',
  /** It looks every five minutes; we see a use only if it lasts until a run. */
  'sees every use',
  /** An image that it never saw in use counts as unused since ever, though it may just have come. */
  'never used is oldest',
  /** It removes none for its age before it has run that long itself. */
  'waits for the greatest age',
  /** It counts what is in use in whole per cent, rounded up. */
  'rounds up to per cent',
  /** It frees space when the high threshold is reached, we when it is exceeded. */
  'acts at the threshold',
  /** It rounds down to whole bytes what it must free. */
  'rounds down to bytes',
  /** It removes an image before it asks whether enough is free. */
  'frees one at least',
  /** It counts what the runtime reports as the size, we what is freed on the disk. */
  'counts reported sizes',
  /** It knows of no container made beside CRI, and of no pod before its first container. */
  'sees containers of pods',
  /** The sandbox image stays only if the runtime has pinned it. */
  'keeps pinned images only',
] as const;

export type Difference = (typeof DIFFERENCES)[number];

/** Less than what a threshold in per cent can be off a whole byte, 0.01, and more than floating point is. */
const A_BIT = 0.002;
const CENTURY_MS = 36_525 * 86_400_000;
const NO_NEED: DiskThresholds = { usedBytes: 0, highBytes: 1, lowBytes: 1 };

/** What our own history tells, on a clock that reads `now`. */
export interface Known {
  readonly histories: ImageHistories;
  readonly now: number;
}

export interface Outcome {
  /** Ids of the scenario, in its order. */
  readonly removed: readonly string[];
  /** Space was needed, and it did not come to the low threshold. */
  readonly fallsShort: boolean;
}

/** What our planner decides when it is told these differences. */
export function planWith(told: ReadonlySet<Difference>, scenario: Scenario, known: Known): Outcome {
  const aged = agedInput(told, scenario, known);
  const expired = removals(planRemoval({ ...aged, diskThresholds: NO_NEED }).decisions).map(({ image }) => image.id);
  const freedBy = (storage: ImageStorage): number => planRemoval({ ...aged, diskThresholds: NO_NEED, storage }).estimatedBytes;
  const storage = storageFor(told, scenario, expired);
  const ours = ourThresholds(scenario);
  const left = ours.usedBytes - freedBy(occupied(scenario));
  const limits = thresholdsFor(told, scenario, { ours, left });
  // The kubelet reads the disk after it has removed what is too old, so nothing that it counts comes in there.
  const diskThresholds = { ...limits, usedBytes: left + freedBy(storage) };
  const plan = planRemoval({ ...aged, storage, diskThresholds });
  const gone = new Set(removals(plan.decisions).map(({ image }) => image.id));
  return {
    removed: scenario.images.filter(({ id }) => gone.has(idOf(id))).map(({ id }) => id),
    fallsShort: left > limits.highBytes && diskThresholds.usedBytes - plan.estimatedBytes > limits.lowBytes + 2 * A_BIT,
  };
}

export function idOf(id: string): string {
  return imageId(Number(id));
}

export function asNodeImage({ id, size, pinned }: ScenarioImage): NodeImage {
  return nodeImage(Number(id), { sizeBytes: size, pinned });
}

/** All but sizes and the disk. */
function agedInput(told: ReadonlySet<Difference>, scenario: Scenario, known: Known): PlanInput {
  const { images, now, kubeletStartedAt, maxAge } = scenario;
  const podsOnly = told.has('sees containers of pods');
  const waits = told.has('waits for the greatest age') && now - kubeletStartedAt <= maxAge;
  const maxAgeMs = maxAge === 0 || waits ? null : maxAge * 1000;
  const minAgeMs = scenario.minAge * 1000;
  const ages = images.flatMap((image) => {
    const age = ageFor(told, { scenario, image, known });
    return age === null ? [] : [{ id: idOf(image.id), age }];
  });
  const isOldest = ({ lastInUseAt }: ImageHistory): boolean => told.has('never used is oldest') && lastInUseAt === null;
  // Whatever its age is taken for, it is not old enough yet to go for want of space.
  const young = ages.filter(({ age }) => isOldest(age) && maxAgeMs === null && known.now - age.firstSeenAt < minAgeMs);
  const protectedBy = { kind: 'Kubelet', namespace: '', name: 'least age' };
  const sandboxes = told.has('keeps pinned images only') ? [] : images.filter(({ sandbox }) => sandbox);
  return planInput([], {
    inventory: inventory(images.map(asNodeImage), {
      containers: images.filter(({ use }) => use !== 'beside-cri' || !podsOnly).flatMap(containersOf),
      sandboxImageReferences: sandboxes.map(({ id }) => idOf(id)),
    }),
    pendingPods: images
      .filter(({ use }) => use === 'pending-pod' && !podsOnly)
      .map(({ id }) => ({ namespace: 'shop', name: `cart-${id}`, imageReferences: [idOf(id)] })),
    protections: young.map(({ id }) => ({ object: protectedBy, imageReferences: [id] })),
    minAgeMs,
    maxAgeMs,
    histories: new Map(
      ages.map(({ id, age }) => [id, isOldest(age) ? { firstSeenAt: age.firstSeenAt - CENTURY_MS, lastInUseAt: null } : age]),
    ),
    now: known.now,
  });
}

function containersOf({ id, use }: ScenarioImage): NodeContainer[] {
  if (use === 'volume') return [container(Number(id), [imageId(999)], { volumeImageReferences: [idOf(id)] })];
  return use === 'container' || use === 'beside-cri' ? [container(Number(id), [idOf(id)])] : [];
}

interface AgeQuestion {
  readonly scenario: Scenario;
  readonly image: ScenarioImage;
  readonly known: Known;
}

/** null: unknown. */
function ageFor(told: ReadonlySet<Difference>, { scenario, image, known }: AgeQuestion): ImageHistory | null {
  const at = (second: number): number => known.now - (scenario.now - second) * 1000;
  const truth = { firstSeenAt: at(image.seenAt), lastInUseAt: image.usedAt === null ? null : at(image.usedAt) };
  let age = known.histories.get(idOf(image.id)) ?? (told.has('needs no history') ? truth : null);
  if (age === null) return null;
  if (told.has('sees every use') && image.useMissed) age = { ...age, lastInUseAt: truth.lastInUseAt };
  // Our history has the use of now.
  const isUnseenUse = image.use === 'beside-cri' || image.use === 'pending-pod';
  if (told.has('sees containers of pods') && isUnseenUse) age = { ...age, lastInUseAt: truth.lastInUseAt };
  if (!told.has('forgets at its start')) return age;
  const start = at(scenario.kubeletStartedAt);
  return {
    firstSeenAt: Math.max(age.firstSeenAt, start),
    lastInUseAt: age.lastInUseAt !== null && age.lastInUseAt >= start ? age.lastInUseAt : null,
  };
}

function occupied({ images }: Scenario): ImageStorage {
  return new Map(images.map(({ id, units }) => [idOf(id), units]));
}

function storageFor(told: ReadonlySet<Difference>, scenario: Scenario, expired: readonly string[]): ImageStorage {
  const counted: ImageStorage = told.has('counts reported sizes')
    ? new Map(scenario.images.map(({ id, size }) => [idOf(id), [{ key: `image ${id}`, bytes: size }]]))
    : occupied(scenario);
  if (!told.has('frees one at least')) return counted;
  return new Map([...counted].map(([id, units]) => [id, expired.includes(id) ? units : [...units, { key: `bit ${id}`, bytes: A_BIT }]]));
}

function ourThresholds({ capacity, available, high, low }: Scenario): DiskThresholds {
  const filesystem = { mountpoint: '/', capacityBytes: capacity, availableBytes: available, usedBytes: 0 };
  return planDiskThresholds({ high: { unit: 'percent', value: high }, low: { unit: 'percent', value: low } }, filesystem);
}

/** `left`: bytes in use once what is too old has gone. */
function thresholdsFor(
  told: ReadonlySet<Difference>,
  { capacity, high, low }: Scenario,
  { ours, left }: { readonly ours: DiskThresholds; readonly left: number },
): DiskThresholds {
  // Without a capacity the kubelet gives up.
  if (capacity === 0) return ours;
  let { highBytes, lowBytes } = ours;
  if (told.has('acts at the threshold')) highBytes -= A_BIT;
  // More than 84.0% is 85%.
  if (told.has('rounds up to per cent')) highBytes = (capacity * (high - 1)) / 100;
  if (told.has('rounds down to bytes')) lowBytes = capacity - Math.floor((capacity * (100 - low)) / 100);
  if (told.has('frees one at least')) lowBytes = Math.min(lowBytes, left - A_BIT);
  return { ...ours, highBytes, lowBytes };
}
