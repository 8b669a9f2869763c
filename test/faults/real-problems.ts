import * as z from 'zod';
import type { EndedRun } from '../../bench/cluster/run-watch.ts';
import type { ManagerPod } from '../../lab/manager-pod.ts';
import type { ImageJob } from '../../src/api/image-job.ts';
import { readNodeFaults } from '../e2e/read-node-faults.ts';
import type { RunImages } from './real-images.ts';
import type { NodeLook } from './real-nodes.ts';
import type { RealFault } from './real-site.ts';

export interface Looks {
  readonly images: RunImages;
  readonly before: readonly NodeLook[];
  readonly after: readonly NodeLook[];
}

interface Evidence extends Looks {
  readonly fault: RealFault;
  readonly job: ImageJob | undefined;
  readonly manager: ManagerPod;
  /** Within the longest time. */
  readonly isTold: boolean;
}

export interface Found {
  readonly problems: readonly string[];
  /** By all nodes together, of images. */
  readonly reads: number;
  readonly failedNodes: readonly string[];
}

const MOST_READS = 1.02;

const nodeRunSchema = z.object({ node: z.string(), state: z.string(), message: z.string().nullable(), scanned: z.number().nullable() });
const decisionSchema = z.object({ node: z.string(), id: z.string(), removal: z.string().nullable() });
type NodeRunRow = z.output<typeof nodeRunSchema>;
type DecisionRow = z.output<typeof decisionSchema>;

/** By the runtimes' own lists, the API server and the rows of the history. */
export async function findProblems(evidence: Evidence): Promise<Found> {
  const { fault, job, manager, images, isTold } = evidence;
  const runs = z
    .array(nodeRunSchema)
    .parse(
      await manager.readRows(
        "SELECT node, state, message, json_extract(summary, '$.scanned') AS scanned FROM node_run JOIN run ON run.id = run_id ORDER BY node",
      ),
    );
  const decisions = z.array(decisionSchema).parse(
    await manager.readRows(
      `SELECT node, image.id AS id, removal_state AS removal
         FROM decision JOIN node_run ON node_run.run_id = decision.run_id JOIN image ON image.key = image_key`,
    ),
  );
  const reads = runs.reduce((sum, { scanned }) => sum + (scanned ?? 0), 0);
  const most = fault.mayReadTwice === true ? images.distinct * 2 : Math.floor(images.distinct * MOST_READS);
  const succeeded = new Set(runs.filter(({ state }) => state === 'completed').map(({ node }) => node));
  const failedNodes = evidence.before.map(({ node }) => node).filter((node) => !succeeded.has(node));
  return {
    reads,
    failedNodes,
    problems: [
      ...(isTold ? [] : ['the run has not ended']),
      ...problemsOfJob(job, { fault, failedNodes, nodes: evidence.before.length }),
      ...problemsOfResults(runs, evidence),
      ...(reads <= most ? [] : [`${String(images.distinct)} images were read ${String(reads)} times, and may be ${String(most)} times`]),
      ...problemsOfNodes(evidence, succeeded),
      ...evidence.before.flatMap((look) => problemsOfDecisions(look, evidence, decisions, succeeded.has(look.node))),
    ],
  };
}

/** Whatever failed in the run before is made up for. */
export function problemsOfNextRun(ended: EndedRun | null, looks: Looks): string[] {
  const { phase, succeeded } = ended?.status ?? {};
  const isWhole = phase === 'Completed' && succeeded === looks.before.length;
  return [
    ...(isWhole ? [] : [`the next run says ${JSON.stringify(ended?.status ?? null)}`]),
    ...problemsOfNodes(looks, new Set(looks.before.map(({ node }) => node))).map((problem) => `after the next run: ${problem}`),
  ];
}

function problemsOfJob(
  job: ImageJob | undefined,
  { fault, failedNodes, nodes }: { readonly fault: RealFault; readonly failedNodes: readonly string[]; readonly nodes: number },
): string[] {
  const { phase, desired = 0, succeeded = 0, failed = 0, skipped = 0 } = job?.status ?? {};
  const isWhole = desired === nodes && skipped === 0 && failed === failedNodes.length && succeeded + failed === nodes;
  const isAllowed = fault.mayFailNodes === true || (phase === 'Completed' && failed === 0);
  const reasons = readNodeFaults(job);
  return [
    ...(isWhole && isAllowed ? [] : [`the run says ${JSON.stringify({ phase, desired, succeeded, failed, skipped, reasons })}`]),
    ...failedNodes.filter((node) => !new RegExp(`${node}: \\S`).test(reasons)).map((node) => `nothing says why ${node} has failed`),
  ];
}

function problemsOfResults(runs: readonly NodeRunRow[], { fault, before }: Evidence): string[] {
  return before.flatMap(({ node }) => {
    const own = runs.filter((run) => run.node === node);
    const isOnce = own.length === 1 || (own.length === 0 && fault.mayFailNodes === true);
    return isOnce ? [] : [`${node} has ${String(own.length)} results in the history: ${JSON.stringify(own)}`];
  });
}

/** Of the images themselves; a node that has not succeeded may have some left that must go. */
function problemsOfNodes({ images, before, after }: Looks, succeeded: ReadonlySet<string>): string[] {
  return before.flatMap(({ node, users }) => {
    const now = after.find((look) => look.node === node);
    const has = ({ id }: { readonly id: string }): boolean => now?.images.has(id) === true;
    const namesOf = (some: RunImages['sick']): string => some.flatMap(({ refs }) => refs).join(', ');
    const lost = images.well.filter((image) => !has(image));
    const used = images.used.get(node);
    const left = images.sick.filter(has);
    const ended = [...users].filter(([pod, id]) => now?.users.get(pod) !== id);
    return [
      ...(lost.length === 0 ? [] : [`${node}: healthy images are gone: ${namesOf(lost)}`]),
      ...(used !== undefined && has(used) ? [] : [`${node}: an image in use is gone: ${namesOf(used === undefined ? [] : [used])}`]),
      ...(users.size > 0 && ended.length === 0 ? [] : [`${node}: the container that used an image does not run any more`]),
      ...(left.length === 0 || !succeeded.has(node)
        ? []
        : [`${node}: vulnerable images that nothing uses are still there: ${namesOf(left)}`]),
    ];
  });
}

/** A decision on each image that was there, and a removal of each that is gone. */
function problemsOfDecisions({ node, images }: NodeLook, { after }: Looks, all: readonly DecisionRow[], hasSucceeded: boolean): string[] {
  const byId = new Map(all.filter((row) => row.node === node).map(({ id, removal }) => [id, removal]));
  const now = after.find((look) => look.node === node)?.images;
  const nameOf = (id: string): string => images.get(id)?.[0] ?? id;
  const undecided = [...images.keys()].filter((id) => !byId.has(id));
  const untold = [...images.keys()].filter((id) => now?.has(id) === false && byId.get(id) !== 'removed');
  const untrue = [...byId].filter(([id, removal]) => removal === 'removed' && now?.has(id) === true).map(([id]) => id);
  const say = (what: string, ids: readonly string[]): string[] =>
    ids.length === 0 ? [] : [`${node}: ${what}: ${ids.map(nameOf).join(', ')}`];
  return [
    ...(hasSucceeded ? say('no decision is on record of', undecided) : []),
    ...(hasSucceeded ? say('gone without a removal on record', untold) : []),
    ...say('on record as removed, and still there', untrue),
  ];
}
