import type { NodeContainer, NodeImage } from '../api/inventory.ts';
import type { ScanPolicy } from '../api/scan-policy.ts';
import { compileExclusions, type Exclusions } from '../core/exclusions/exclusions.ts';
import { compileImageList, type ImageList } from '../core/image-list.ts';
import type { RemovalPlan } from '../core/plan-removal.ts';
import { expiredIgnores } from '../core/verdict.ts';
import { planNode } from '../engine/clean-node.ts';
import type { BoundNode } from './bind-runtime.ts';
import { bindScanner, scanLimits } from './bind-scanner.ts';
import { badUsage } from './cli-error.ts';
import type { CliContext } from './context.ts';
import { findImages } from './find-image.ts';
import type { Progress } from './output/progress.ts';
import type { PlanOptions } from './parsed-options.ts';
import { readExclusions } from './read-exclusions.ts';
import { readScanPolicy } from './read-scan-policy.ts';

/** What the command line and the files it names say, checked. Read before the node is looked at: bad input ends there. */
export interface CleaningRequest {
  readonly options: PlanOptions;
  readonly exclusions: Exclusions;
  readonly policy: ScanPolicy;
  /** null: an automatic run. */
  readonly imageList: ImageList | null;
}

export async function readRequest(options: PlanOptions): Promise<CleaningRequest> {
  return {
    options,
    exclusions: await readExclusions(options),
    policy: await readScanPolicy(options),
    imageList: readImageList(options.image),
  };
}

export interface MakePlanOptions {
  readonly request: CleaningRequest;
  readonly node: BoundNode;
  readonly progress: Progress;
  /** Scan no other image than this one, for `explain`. */
  readonly only?: string;
}

export interface PlannedNode {
  readonly plan: RemovalPlan;
  /** What the operator should know of, beside the decisions. */
  readonly warnings: readonly string[];
}

/** The plan for this machine. */
export async function makePlan(context: CliContext, { request, node, progress, only }: MakePlanOptions): Promise<PlannedNode> {
  const { options, exclusions, policy, imageList } = request;
  const scanner = options.scanner === 'none' ? null : bindScanner(context, options, node);
  const plan = await planNode({
    runtime: node.runtime,
    scan: scanner === null ? null : { scanner, policy, limits: scanLimits(context, options) },
    settings: {
      exclusions,
      imageList,
      pendingPods: [],
      protections: [],
      minAgeMs: 0,
      maxAgeMs: null,
      histories: new Map(),
      diskThresholds: null,
    },
    now: context.now,
    onEvent: progress.onEvent,
    signal: context.signal,
    ...(only === undefined ? {} : { chooseToScan: (images) => findImages(images, only) }),
  });
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
  for (const warning of warnings) progress.say(`Warning: ${warning}`);
  return { plan, warnings };
}

function readImageList(entries: readonly string[]): ImageList | null {
  if (entries.length === 0) return null;
  const compiled = compileImageList(entries);
  if (compiled.ok) return compiled.list;
  throw badUsage(compiled.errors.map(({ entry, message }) => `--image "${entry}": ${message}`).join('\n'));
}

/** For entries typed on the command line, where one that matches nothing is likely a mistake; a file's are for many machines. */
function matchesAny(entry: string, images: readonly NodeImage[]): boolean {
  const compiled = compileExclusions([{ name: '--exclude', entries: [entry] }]);
  return compiled.ok && images.some((image) => compiled.exclusions.match(image) !== null);
}

function describeUnresolved({ podNamespace, podName, name, imageReferences }: NodeContainer): string {
  const container = [podNamespace, podName, name].filter((part) => part !== '').join('/');
  return `container ${container} runs from an image that is not on the node (${imageReferences.join(', ')}): all of its repository stays`;
}
