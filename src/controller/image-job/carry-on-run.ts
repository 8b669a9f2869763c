import { countOfMaxParallel, type MaxParallel } from '../../core/cluster/max-parallel.ts';
import type { WaveTimeouts } from '../../core/cluster/plan-waves.ts';
import { makeWorkerPod, type WorkerFrame } from '../../core/cluster/worker-pod.ts';
import type { Log } from '../../platform/log.ts';
import type { ClusterApi } from '../ports.ts';
import { findNodeFaults, flightLookMs, judgeTurn, TURN_LOOK_MS, type NodeAtTurn } from './look-at-nodes.ts';
import type { NodeRecord } from './node-records.ts';
import type { NodeView } from './node-view.ts';
import { planJob, type JobPlan } from './plan-job.ts';
import { readPodFacts, type PodFacts } from './pod-facts.ts';
import { dueAt, noteRecords, writeRecords } from './put-on-record.ts';
import type { Run } from './run.ts';
import type { WorkerPods } from './worker-pods.ts';

export interface RunSettings {
  /** In the place of what the configuration says; null: it holds. */
  readonly maxParallel: MaxParallel | null;
  readonly timeouts: WaveTimeouts;
  /** How long a node may be unready before its pod is given up. */
  readonly nodeGraceMs: number;
  readonly frame: Omit<WorkerFrame, 'configMaps' | 'runMs' | 'deadlineMs'>;
}

export interface CarryOnContext {
  readonly api: Pick<ClusterApi, 'find' | 'create' | 'apply' | 'delete'>;
  readonly pods: WorkerPods;
  readonly nodes: NodeView;
  readonly settings: RunSettings;
  readonly log: Log;
  /** Milliseconds on a clock that nobody can set. */
  readonly monotonicNow: () => number;
}

/** How many nodes are given a pod at once. */
const STARTS_AT_ONCE = 10;
/** What the kubelet gives a pod beyond the controller's own time-outs. */
const DEADLINE_MARGIN_MS = 5 * 60_000;

/**
 * One look at a run and what follows from it. What came of a node is on record before its pod is touched, and a pod is made under a name of its own:
 * whatever of this has happened when a controller is killed, the next one finds it.
 *
 * @returns in how many milliseconds to look again, if nothing else asks; null: when something does.
 */
export async function carryOnRun(context: CarryOnContext, run: Run, signal: AbortSignal): Promise<number | null> {
  const { api, settings, log, monotonicNow } = context;
  const { namespace } = settings.frame;
  const now = monotonicNow();
  const plan = await planWithNodes(context, { run, now }, signal);
  run.sightings = plan.sightings;
  noteRecords(context, run, { records: plan.records, now });
  if (plan.stop.length > 0 || plan.isToRecordNow) await writeRecords(api, { run, namespace }, signal);
  for (const { name, uid } of plan.stop) await api.delete('Pod', { name, uid }, signal);
  const refused = await startOnAll(context, { run, names: plan.start }, signal);
  noteRecords({ log }, run, { records: refused, now });
  if (dueAt(run) <= now) await writeRecords(api, { run, namespace }, signal);
  // Their places are free.
  if (refused.size > 0) return 0;
  const isAnyInFlight = plan.inFlight.length + plan.start.length > 0;
  const looks = [plan.lookAgainAt ?? Infinity, dueAt(run), isAnyInFlight ? nodesDueAt(context, run) : Infinity];
  const next = Math.min(...looks);
  return next === Infinity ? null : Math.max(0, next - now);
}

async function planWithNodes(
  context: CarryOnContext,
  { run, now }: { readonly run: Run; readonly now: number },
  signal: AbortSignal,
): Promise<JobPlan> {
  const { nodes, settings } = context;
  const graceMs = settings.nodeGraceMs;
  const plan = planOf(context, { run, now, nodeFaults: new Map() });
  if (now < nodesDueAt(context, run)) return plan;
  const seen = await nodes.look(plan.inFlight, Math.min(TURN_LOOK_MS, flightLookMs(graceMs)), signal);
  run.nodesSeenAt = now;
  for (const name of run.unreadySince.keys()) if (!seen.has(name)) run.unreadySince.delete(name);
  const nodeFaults = findNodeFaults({ run, nodes: seen, graceMs, now });
  return nodeFaults.size === 0 ? plan : planOf(context, { run, now, nodeFaults });
}

/** When the nodes of pods in flight are to be looked at: regularly, and when one of them has had its time. */
function nodesDueAt({ settings: { nodeGraceMs } }: CarryOnContext, run: Run): number {
  const overAt = [...run.unreadySince.values()].map((since) => since + nodeGraceMs).filter((at) => at > run.nodesSeenAt);
  return Math.min(run.nodesSeenAt + flightLookMs(nodeGraceMs), ...overAt);
}

function planOf(
  { pods, settings }: CarryOnContext,
  { run, now, nodeFaults }: { readonly run: Run; readonly now: number; readonly nodeFaults: ReadonlyMap<string, string> },
): JobPlan {
  const nodes = run.parts.flat();
  const known = pods.of(run.job.uid);
  const byNode = [...run.podNames].flatMap(([node, name]): [string, PodFacts][] => {
    const pod = known.get(name);
    return pod === undefined ? [] : [[node, pod]];
  });
  const participating = nodes.filter((node) => node.participating !== null).length;
  return planJob({
    nodes,
    pods: new Map(byNode),
    made: new Set([...run.podNames].filter(([, name]) => pods.isMade(name)).map(([node]) => node)),
    nodeFaults,
    occupied: pods.occupiedBesides(run.job.uid),
    sightings: run.sightings,
    maxParallel: countOfMaxParallel(settings.maxParallel ?? run.configuration.maxParallel, participating),
    timeouts: settings.timeouts,
    now,
  });
}

/** What came at once of nodes that got no pod. */
async function startOnAll(
  context: CarryOnContext,
  { run, names }: { readonly run: Run; readonly names: readonly string[] },
  signal: AbortSignal,
): Promise<Map<string, NodeRecord>> {
  const refused = new Map<string, NodeRecord>();
  if (names.length === 0) return refused;
  const seen = [...(await context.nodes.look(names, TURN_LOOK_MS, signal))];
  for (let at = 0; at < seen.length; at += STARTS_AT_ONCE) {
    const started = seen.slice(at, at + STARTS_AT_ONCE).map(async ([name, node]) => {
      const turn = judgeTurn(node, run.configuration.nodeFilter);
      return [name, await startOn(context, { run, name, turn }, signal)] as const;
    });
    // All of them end before a failure of one is told: what was made has to be known.
    for (const settled of await Promise.allSettled(started)) {
      if (settled.status === 'rejected') throw settled.reason;
      const [name, record] = settled.value;
      if (record !== null) refused.set(name, record);
    }
  }
  return refused;
}

/** null: its pod is made, or was before. */
async function startOn(
  { api, pods, settings, log }: CarryOnContext,
  { run, name, turn }: { readonly run: Run; readonly name: string; readonly turn: NodeAtTurn },
  signal: AbortSignal,
): Promise<NodeRecord | null> {
  if (turn.kind === 'skipped') return { kind: 'skipped', reason: turn.reason } as NodeRecord;
  if (turn.kind === 'unreadable') return failed(`the node cannot be read: ${turn.message}`);
  const { config, components } = run.configuration;
  const { timeouts, frame } = settings;
  const pod = makeWorkerPod({
    name: run.podNames.get(name) ?? '',
    job: run.job,
    run: run.kind,
    node: turn.node,
    manager: config.manager,
    components,
    frame: {
      ...frame,
      configMaps: run.configMaps,
      runMs: timeouts.runMs,
      deadlineMs: timeouts.startMs + timeouts.runMs + DEADLINE_MARGIN_MS,
    },
  });
  const created = await api.create('Pod', pod, signal);
  switch (created.outcome) {
    case 'created':
      pods.add(readPodFacts(created.object));
      log.info('worker pod made', { job: run.job.name, node: name, pod: pod.metadata.name });
      return null;
    case 'exists': {
      // By an earlier attempt, whose answer was lost.
      const made = await api.find('Pod', pod.metadata.name, signal);
      if (made === null) return failed('its worker pod is gone: someone deleted it');
      pods.add(readPodFacts(made));
      return null;
    }
    case 'refused':
      return failed(`its worker pod was refused: ${created.message}`);
  }
}

function failed(message: string): NodeRecord {
  return { kind: 'failed', message, removedImages: 0, reclaimedBytes: 0 };
}
