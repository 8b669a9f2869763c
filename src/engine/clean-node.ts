import type { KeepReason } from '../api/decision.ts';
import type { FilesystemUsage, ImageStorage, NodeImage, NodeInventory } from '../api/inventory.ts';
import type { ScanPolicy } from '../api/scan-policy.ts';
import type { Verdicts } from '../api/scan-report.ts';
import { planDiskThresholds, usedBytes, type DiskLimits, type DiskThresholds } from '../core/disk-pressure.ts';
import type { ImageHistories } from '../core/image-age.ts';
import { indexImages } from '../core/image-index.ts';
import { findImageUse } from '../core/image-use.ts';
import type { PlanFacts, PlanInput } from '../core/plan-facts.ts';
import { imagesToScan, planRemoval, removals, type RemovalPlan } from '../core/plan-removal.ts';
import { createReclaimLedger } from '../core/reclaim.ts';
import { EngineError } from './engine-error.ts';
import type { OnEvent } from './events.ts';
import type { ImageMemory, NodeRuntime, Scanner, ScanRecords } from './ports.ts';
import type { Removal } from './removal.ts';
import { removeImages, type RemoveImagesOptions } from './remove-images.ts';
import { scanImages, type ScanLimits } from './scan-images.ts';
import { takeInventory } from './take-inventory.ts';

export interface PlanNodeOptions {
  readonly runtime: NodeRuntime;
  /** null: the scanner is off. */
  readonly scan: OwnScan | VerdictsFromElsewhere | null;
  /** null: nothing is remembered of images, so their age is unknown. */
  readonly memory: ImageMemory | null;
  /** null: no disk threshold. */
  readonly diskLimits: DiskLimits | null;
  /** What the plan is made of beside what the node, the memory and the scanner tell. */
  readonly settings: Omit<PlanInput, 'inventory' | 'scan' | 'storage' | 'now' | 'histories' | 'diskThresholds'>;
  /** Which of the images without a verdict to scan, of all on the node; the rest stay unscanned. */
  readonly chooseToScan?: (images: readonly NodeImage[]) => readonly NodeImage[];
  readonly now: () => number;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal;
}

/** Images are scanned here. */
export interface OwnScan {
  readonly scanner: Scanner;
  readonly policy: ScanPolicy;
  readonly limits: ScanLimits;
  /** null: nothing is remembered of scans. */
  readonly records: ScanRecords | null;
}

/** Another program scans, or has scanned. */
export interface VerdictsFromElsewhere {
  readonly policy: ScanPolicy;
  /** The verdicts on images that only a verdict can decide on; one without an entry stays unscanned. */
  readonly readVerdicts: (images: readonly NodeImage[], signal: AbortSignal) => Promise<Verdicts>;
}

/**
 * Reads the node, scans the images that only a verdict can decide on, and plans. Removes nothing.
 * @throws ScannerFault when the scanner cannot work: then there is no plan at all.
 * @throws EngineError `no-filesystem` when there is a disk limit and the filesystem of the images cannot be read.
 */
export async function planNode(options: PlanNodeOptions): Promise<RemovalPlan> {
  const { runtime, scan, signal, onEvent } = options;
  const inventory = await takeInventory(runtime, signal);
  onEvent({ kind: 'inventory-taken', inventory });
  const histories = await observe(options, inventory);
  // After the sightings, so that nothing was first seen in the future.
  const now = options.now();
  const diskThresholds = await readDiskThresholds(options);
  const plan = (results: Verdicts, storage: ImageStorage): RemovalPlan =>
    planRemoval({
      ...options.settings,
      inventory,
      histories,
      diskThresholds,
      scan: scan === null ? null : { policy: scan.policy, results },
      storage,
      now,
    });

  const ids = inventory.images.map(({ id }) => id);
  // The disk rule needs the sizes to choose by; all else only for the estimate of what goes, if anything does.
  const early: ImageStorage = diskThresholds === null ? new Map() : await runtime.imageStorage(ids, signal);
  const unscanned = plan(new Map(), early);
  const chosen = new Set((options.chooseToScan?.(unscanned.facts.images) ?? unscanned.facts.images).map(({ id }) => id));
  const images = imagesToScan(unscanned).filter(({ id }) => chosen.has(id));
  const results = await obtainVerdicts(options, images);
  const scanned = plan(results, early);
  if (early.size > 0 || removals(scanned.decisions).length === 0) return scanned;
  return plan(results, await runtime.imageStorage(ids, signal));
}

async function obtainVerdicts({ scan, runtime, onEvent, signal }: PlanNodeOptions, images: readonly NodeImage[]): Promise<Verdicts> {
  if (scan === null) return new Map();
  return 'scanner' in scan ? scanImages({ ...scan, runtime, images, onEvent, signal }) : scan.readVerdicts(images, signal);
}

/** Images are remembered by what the node has and uses now, whatever becomes of this run. */
async function observe({ memory, settings }: PlanNodeOptions, { images, containers }: NodeInventory): Promise<ImageHistories> {
  if (memory === null) return new Map();
  const { usersByImage } = findImageUse(indexImages(images), containers, settings.pendingPods);
  return memory.observe({ images, inUse: new Set(usersByImage.keys()) });
}

async function readDiskThresholds({ diskLimits, runtime, signal }: PlanNodeOptions): Promise<DiskThresholds | null> {
  if (diskLimits === null) return null;
  const filesystem = await runtime.imageFilesystem(signal);
  if (filesystem !== null) return planDiskThresholds(diskLimits, filesystem);
  throw noFilesystem();
}

function noFilesystem(): EngineError {
  return new EngineError({
    code: 'no-filesystem',
    message: "the runtime's image filesystem cannot be read from here, so a disk threshold cannot be held against it",
    hint: 'Run on the node itself, where the folder of the images can be seen, or leave the disk thresholds out.',
  });
}

export interface CarryOutPlanOptions extends Pick<
  RemoveImagesOptions,
  'runtime' | 'listPendingPods' | 'journal' | 'concurrency' | 'perImageTimeoutMs' | 'onEvent' | 'signal'
> {
  readonly plan: RemovalPlan;
}

/** A removal, and the bytes that it freed by estimate, given which images really went: 0 unless it was carried out. */
export interface CarriedOutRemoval extends Removal {
  readonly reclaimedBytes: number;
}

export interface CarriedOutPlan {
  readonly removals: readonly CarriedOutRemoval[];
  /** The image filesystem before and after; null where it cannot be read from here. Others write to it too. */
  readonly filesystem: { readonly before: FilesystemUsage; readonly after: FilesystemUsage } | null;
}

/**
 * Removes what the plan says, each image after its guards. Hours may have passed since the plan was made, in scans or at a question: what it
 * removes for want of space goes only as far as space is still wanted.
 * @throws EngineError `no-filesystem` when the plan has a disk threshold and the filesystem of the images cannot be read any more.
 */
export async function carryOutPlan(options: CarryOutPlanOptions): Promise<CarriedOutPlan> {
  const { plan, runtime, signal } = options;
  const before = await runtime.imageFilesystem(signal);
  const done = await removeImages({
    ...options,
    decisions: removals(plan.decisions),
    facts: plan.facts,
    staying: spareForDisk(plan, before),
  });
  // Read whether or not the run was stopped meanwhile: what was freed is freed.
  const after = before === null ? null : await runtime.imageFilesystem(AbortSignal.timeout(FILESYSTEM_TIMEOUT_MS)).catch(() => null);
  return {
    removals: withReclaimedBytes(done, plan.facts),
    filesystem: before === null || after === null ? null : { before, after },
  };
}

/** Why those of the plan's removals under disk pressure stay that the same plan would not choose for the disk as it is now. */
function spareForDisk({ decisions, facts: { input } }: RemovalPlan, filesystem: FilesystemUsage | null): ReadonlyMap<string, KeepReason> {
  const staying = new Map<string, KeepReason>();
  if (input.diskThresholds === null || removals(decisions).every(({ reason }) => reason.code !== 'disk-pressure')) return staying;
  if (filesystem === null) throw noFilesystem();
  const diskThresholds = { ...input.diskThresholds, usedBytes: usedBytes(filesystem) };
  const asOfNow = new Map(planRemoval({ ...input, diskThresholds }).decisions.map((decision) => [decision.image.id, decision]));
  for (const { image, reason } of removals(decisions)) {
    const decision = asOfNow.get(image.id);
    if (reason.code === 'disk-pressure' && decision?.outcome === 'keep') staying.set(image.id, decision.reason);
  }
  return staying;
}

/** A read of one figure; the removals are done, so the run need not wait long for it. */
const FILESYSTEM_TIMEOUT_MS = 10_000;

/** What images share is freed by the last of them that went, and not at all if one of them stayed after all. */
function withReclaimedBytes(done: readonly Removal[], { images, input }: PlanFacts): CarriedOutRemoval[] {
  const ledger = createReclaimLedger(images, input.storage);
  for (const { decision, outcome } of done) if (outcome.kind === 'absent') ledger.remove(decision.image);
  return done.map((removal) => ({
    ...removal,
    reclaimedBytes: removal.outcome.kind === 'removed' ? ledger.remove(removal.decision.image) : 0,
  }));
}
