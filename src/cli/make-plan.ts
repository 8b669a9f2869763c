import type { NodeContainer } from '../api/inventory.ts';
import { compileImageList, type ImageList } from '../core/image-list.ts';
import type { RemovalPlan } from '../core/plan-removal.ts';
import { expiredIgnores } from '../core/verdict.ts';
import { planNode } from '../engine/clean-node.ts';
import { bindScanner, scanLimits } from './bind-scanner.ts';
import { badUsage } from './cli-error.ts';
import type { CliContext } from './context.ts';
import { findImages } from './find-image.ts';
import type { Progress } from './output/progress.ts';
import type { PlanOptions } from './parsed-options.ts';
import { readExclusions } from './read-exclusions.ts';
import { readScanPolicy } from './read-scan-policy.ts';
import type { BoundNode } from './bind-runtime.ts';

export interface MakePlanOptions extends PlanOptions {
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

/** The plan for this machine under the options of the command line. All input is read and checked before the node is. */
export async function makePlan(context: CliContext, options: MakePlanOptions): Promise<PlannedNode> {
  const { node, progress, only } = options;
  const exclusions = await readExclusions(options);
  const policy = await readScanPolicy(options);
  const imageList = readImageList(options.image);
  const plan = await planNode({
    runtime: node.runtime,
    scan:
      options.scanner === 'none' ? null : { scanner: bindScanner(context, options, node), policy, limits: scanLimits(context, options) },
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
  const warnings = [
    ...plan.unresolvedContainers.map(describeUnresolved),
    ...(imageList?.unmatchedEntries(plan.facts.images) ?? []).map((entry) => `--image ${entry}: no image on this node`),
    ...expiredIgnores(policy, context.now()).map((id) => `${id} is no longer ignored: its expiry has passed`),
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

function describeUnresolved({ podNamespace, podName, name, imageReferences }: NodeContainer): string {
  const container = [podNamespace, podName, name].filter((part) => part !== '').join('/');
  return `container ${container} runs from an image that is not on the node (${imageReferences.join(', ')}): all of its repository stays`;
}
