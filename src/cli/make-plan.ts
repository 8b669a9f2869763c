import type { NodeContainer, NodeImage } from '../api/inventory.ts';
import type { ScanPolicy } from '../api/scan-policy.ts';
import type { DiskLimits } from '../core/disk-pressure.ts';
import { compileExclusions, type Exclusions } from '../core/exclusions/exclusions.ts';
import { compileImageList, type ImageList } from '../core/image-list.ts';
import type { RemovalPlan } from '../core/plan-removal.ts';
import { expiredIgnores } from '../core/verdict.ts';
import type { TrivyServerSource } from '../scan/trivy-options.ts';
import { planNode } from '../engine/clean-node.ts';
import type { OnEvent } from '../engine/events.ts';
import type { BoundMemory } from './bind-history.ts';
import type { BoundNode } from './bind-runtime.ts';
import { bindScanner, scanLimits } from './bind-scanner.ts';
import { badUsage } from './cli-error.ts';
import type { CliContext } from './context.ts';
import { findImages } from './find-image.ts';
import type { PlanOptions } from './parsed-options.ts';
import { readExclusions } from './read-exclusions.ts';
import { readScanPolicy } from './read-scan-policy.ts';
import { readTrivyServer } from './read-trivy-server.ts';

/** What the command line and the files it names say, checked. Read before the node is looked at: bad input ends there. */
export interface CleaningRequest {
  readonly options: PlanOptions;
  readonly exclusions: Exclusions;
  readonly policy: ScanPolicy;
  /** null: Trivy's own database here judges. */
  readonly trivyServer: TrivyServerSource | null;
  /** null: an automatic run. */
  readonly imageList: ImageList | null;
}

export async function readRequest(context: CliContext, options: PlanOptions): Promise<CleaningRequest> {
  return {
    options,
    exclusions: await readExclusions(options),
    policy: await readScanPolicy(options),
    trivyServer: await readTrivyServer(context, options),
    imageList: readImageList(options.image),
  };
}

export interface MakePlanOptions {
  readonly request: CleaningRequest;
  readonly node: BoundNode;
  /** What earlier runs know. */
  readonly memory: BoundMemory;
  readonly onEvent: OnEvent;
  /** Shows a warning. */
  readonly say: (line: string) => void;
  /** Scan no other image than this one, for `explain`. */
  readonly only?: string;
}

export interface PlannedNode {
  readonly plan: RemovalPlan;
  /** What the operator should know of, beside the decisions. */
  readonly warnings: readonly string[];
}

/** The plan for this machine. */
export async function makePlan(context: CliContext, { request, node, memory, onEvent, say, only }: MakePlanOptions): Promise<PlannedNode> {
  const { options, exclusions, policy, imageList } = request;
  const scanner = options.scanner === 'none' ? null : bindScanner(context, options, { node, memory, server: request.trivyServer });
  const planned = planNode({
    runtime: node.runtime,
    scan: scanner === null ? null : { scanner, policy, limits: scanLimits(context, options), records: memory.records },
    memory: memory.imagesOf(node.endpoint),
    diskLimits: readDiskLimits(options),
    settings: { exclusions, imageList, pendingPods: [], protections: [], minAgeMs: options.minAge, maxAgeMs: options.maxAge ?? null },
    now: context.now,
    onEvent,
    signal: context.signal,
    ...(only === undefined ? {} : { chooseToScan: (images) => findImages(images, only) }),
  });
  const plan = await planned.finally(() => scanner?.close());
  const { images } = plan.facts;
  const warnings = [
    ...plan.unresolvedContainers.map(describeUnresolved),
    ...options.exclude.filter((entry) => !matchesAny(entry, images)).map((entry) => `--exclude ${entry}: no image on this node`),
    ...(imageList?.unmatchedEntries(images) ?? []).map((entry) => `--image ${entry}: no image on this node`),
    ...expiredIgnores(policy, context.now()).map((id) => `${id} is no longer ignored: its expiry has passed`),
    ...(scanner !== null && scanner.unsupportedBecause !== null && imageList === null
      ? [`${scanner.unsupportedBecause}: without a verdict unused images stay; --scanner none removes them all, --image some`]
      : []),
  ];
  for (const warning of warnings) say(`Warning: ${warning}`);
  return { plan, warnings };
}

export function readDiskLimits({ diskHigh, diskLow }: Pick<PlanOptions, 'diskHigh' | 'diskLow'>): DiskLimits | null {
  return diskHigh === undefined ? null : { high: diskHigh, low: diskLow ?? diskHigh };
}

/** null: there is none. */
export function readImageList(entries: readonly string[]): ImageList | null {
  if (entries.length === 0) return null;
  const compiled = compileImageList(entries);
  if (compiled.ok) return compiled.list;
  throw badUsage(compiled.errors.map(({ entry, message }) => `--image "${entry}": ${message}`).join('\n'));
}

/** For entries typed on the command line, where one that matches nothing is likely a mistake; a file's are for many machines. */
export function matchesAny(entry: string, images: readonly NodeImage[]): boolean {
  const compiled = compileExclusions([{ name: '--exclude', entries: [entry] }]);
  return compiled.ok && images.some((image) => compiled.exclusions.match(image) !== null);
}

function describeUnresolved({ podNamespace, podName, name, imageReferences }: NodeContainer): string {
  const container = [podNamespace, podName, name].filter((part) => part !== '').join('/');
  return `container ${container} runs from an image that is not on the node (${imageReferences.join(', ')}): all of its repository stays`;
}
