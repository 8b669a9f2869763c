import type { Decision } from '../api/decision.ts';
import type { NodeContainer, NodeImage, NodeInventory } from '../api/inventory.ts';
import { formatReason, vulnerabilityIds } from '../core/format-reason.ts';
import type { PendingPod } from '../core/image-use.ts';
import { removals, type RemovalPlan } from '../core/plan-removal.ts';
import { carryOutPlan, planNode, type CarriedOutPlan, type PlanNodeOptions } from '../engine/clean-node.ts';
import type { OnEvent } from '../engine/events.ts';
import type { NodeRuntime } from '../engine/ports.ts';
import type { Removal } from '../engine/removal.ts';
import { formatDuration } from '../platform/duration.ts';
import { formatBytes } from '../platform/quantity.ts';
import type { Timing } from '../platform/timing.ts';
import type { Log } from '../platform/log.ts';
import { recentPods, type KnownPods } from './known-pods.ts';

/** The longest that one removal may take, guards and all; containerd deletes the layers meanwhile. */
const REMOVAL_TIMEOUT_MS = 120_000;
/** More at once gains nothing: containerd serialises most of the work. */
const REMOVALS_AT_ONCE = 8;

export interface NodeSurroundings {
  readonly runtime: NodeRuntime;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly timing: Pick<Timing, 'now' | 'sleep'>;
  readonly signal: AbortSignal;
}

export interface RemoveOnNodeOptions extends NodeSurroundings {
  readonly plan: Pick<PlanNodeOptions, 'scan' | 'memory' | 'diskLimits'> & {
    readonly settings: Omit<PlanNodeOptions['settings'], 'pendingPods'>;
  };
  /** The pods bound to this node; null: nobody can tell. */
  readonly pods: KnownPods | null;
  readonly onEvent?: OnEvent;
}

export interface RemovedOnNode {
  readonly plan: RemovalPlan;
  readonly done: CarriedOutPlan;
}

/** Plans with the whole chain of rules, carries the plan out with every guard, and logs each decision and what came of it. */
export async function removeOnNode(options: RemoveOnNodeOptions): Promise<RemovedOnNode> {
  const { runtime, log, now, signal, pods } = options;
  const settings = { ...options.plan.settings, pendingPods: pods?.pods ?? [] };
  const plan = await planNode({ ...options.plan, settings, runtime, now, signal, onEvent: options.onEvent ?? ((): void => undefined) });
  logPlan(log, plan);
  const done = await carryOutPlan({
    plan,
    runtime,
    listPendingPods:
      pods === null ? (): Promise<PendingPod[]> => Promise.resolve([]) : recentPods(pods, options.timing, REMOVAL_TIMEOUT_MS),
    journal: null,
    concurrency: REMOVALS_AT_ONCE,
    perImageTimeoutMs: REMOVAL_TIMEOUT_MS,
    onEvent: (event) => {
      if (event.kind === 'image-removed') logRemoval(log, event.removal);
    },
    signal,
  });
  return { plan, done };
}

/** What the collector and the remover tell of the node before they plan. */
export function logInventory(log: Log, { runtime, images, containers }: NodeInventory): void {
  log.info('inventory taken', { runtime: `${runtime.name} ${runtime.version}`, images: images.length, containers: containers.length });
}

function logPlan(log: Log, plan: RemovalPlan): void {
  logInventory(log, plan.facts.input.inventory);
  for (const container of plan.unresolvedContainers) logUnresolved(log, container);
  for (const decision of plan.decisions) {
    if (decision.outcome === 'keep') log.info('image kept', describe(decision));
  }
  const listed = plan.facts.input.imageList;
  for (const entry of listed?.unmatchedEntries(plan.facts.images) ?? []) log.warn('no image on this node', { entry });
  log.info('plan made', { images: plan.decisions.length, remove: removals(plan.decisions).length, estimatedBytes: plan.estimatedBytes });
}

function logUnresolved(log: Log, { podNamespace, podName, name, imageReferences }: NodeContainer): void {
  const container = [podNamespace, podName, name].filter((part) => part !== '').join('/');
  log.warn('the image of a container is not on the node: all of its repository stays', { container, imageReferences });
}

function logRemoval(log: Log, { decision, outcome }: Removal): void {
  const facts = describe(decision);
  switch (outcome.kind) {
    case 'removed':
      log.info('image removed', facts);
      break;
    case 'absent':
      log.info('image was gone already', facts);
      break;
    case 'kept':
      log.info('image kept after all', { ...facts, ...reasonOf(outcome) });
      break;
    case 'failed':
      log.error('image not removed', { ...facts, error: outcome.message });
      break;
    case 'not-attempted':
      log.warn('image not removed: the run was stopped', facts);
  }
}

function describe(decision: Decision): Record<string, unknown> {
  return { image: nameOf(decision.image), imageId: decision.image.id, ...reasonOf(decision) };
}

function reasonOf({ reason }: Pick<Decision, 'reason'>): Record<string, unknown> {
  const cves = vulnerabilityIds(reason);
  const why = formatReason({ reason }, { bytes: formatBytes, duration: formatDuration });
  return { reason: reason.code, why, ...(cves.length === 0 ? {} : { cves }) };
}

function nameOf({ id, repoTags, repoDigests }: NodeImage): string {
  return repoTags[0] ?? repoDigests[0] ?? id;
}
