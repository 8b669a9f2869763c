import { countOfMaxParallel, type MaxParallel } from '../../core/cluster/max-parallel.ts';
import type { WaveTimeouts } from '../../core/cluster/plan-waves.ts';
import { makeWorkerPod, type WorkerFrame } from '../../core/cluster/worker-pod.ts';
import type { Log } from '../log.ts';
import type { ClusterApi } from '../ports.ts';
import { frozenConfigMap } from './frozen-config-maps.ts';
import { findNodeFaults, lookAtNode, NODE_LOOK_MS } from './look-at-nodes.ts';
import { formatNodes, type NodeRecord } from './node-records.ts';
import { planJob, withRecords, type JobPlan } from './plan-job.ts';
import { readPodFacts, type PodFacts } from './pod-facts.ts';
import type { Run } from './run.ts';
import type { WorkerPods } from './worker-pods.ts';

export interface RunSettings {
  /** null: as many as is usual for the number of nodes. */
  readonly maxParallel: MaxParallel | null;
  readonly timeouts: WaveTimeouts;
  /** How long a node may be unready before its pod is given up. */
  readonly nodeGraceMs: number;
  readonly frame: Omit<WorkerFrame, 'configMaps' | 'deadlineMs'>;
}

export interface CarryOnContext {
  readonly api: Pick<ClusterApi, 'find' | 'create' | 'apply' | 'delete'>;
  readonly pods: WorkerPods;
  readonly settings: RunSettings;
  readonly log: Log;
  /** Milliseconds on a clock that nobody can set. */
  readonly monotonicNow: () => number;
}

/** How many nodes are asked about, and given a pod, at once. */
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
  const { api, settings, monotonicNow } = context;
  const now = monotonicNow();
  const plan = await planWithNodes(context, { run, now }, signal);
  run.sightings = plan.sightings;
  await putOnRecord(context, { run, records: plan.records }, signal);
  for (const { name, uid } of plan.stop) await api.delete('Pod', { name, uid }, signal);
  const refused = new Map<string, NodeRecord>();
  for (let at = 0; at < plan.start.length; at += STARTS_AT_ONCE) {
    const started = plan.start.slice(at, at + STARTS_AT_ONCE).map((name) => startOn(context, { run, name }, signal));
    // All of them end before a failure of one is told: what was made has to be known.
    for (const settled of await Promise.allSettled(started)) {
      if (settled.status === 'rejected') throw settled.reason;
      if (settled.value !== null) refused.set(settled.value.name, settled.value.record);
    }
  }
  await putOnRecord(context, { run, records: refused }, signal);
  // Their places are free.
  if (refused.size > 0) return 0;
  const looks = [
    plan.lookAgainAt,
    plan.inFlight.length + plan.start.length > 0 ? now + Math.min(NODE_LOOK_MS, settings.nodeGraceMs) : null,
  ];
  const next = looks.filter((look) => look !== null);
  return next.length === 0 ? null : Math.max(0, Math.min(...next) - now);
}

async function planWithNodes(
  context: CarryOnContext,
  { run, now }: { readonly run: Run; readonly now: number },
  signal: AbortSignal,
): Promise<JobPlan> {
  const { api, settings } = context;
  const plan = planOf(context, { run, now, nodeFaults: new Map() });
  if (now - run.nodesSeenAt < Math.min(NODE_LOOK_MS, settings.nodeGraceMs)) return plan;
  const nodeFaults = await findNodeFaults(api, { run, names: plan.inFlight, graceMs: settings.nodeGraceMs, now }, signal);
  run.nodesSeenAt = now;
  return nodeFaults.size === 0 ? plan : planOf(context, { run, now, nodeFaults });
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
    maxParallel: countOfMaxParallel(settings.maxParallel, participating),
    timeouts: settings.timeouts,
    now,
  });
}

async function putOnRecord(
  { api, settings, log }: CarryOnContext,
  { run, records }: { readonly run: Run; readonly records: ReadonlyMap<string, NodeRecord> },
  signal: AbortSignal,
): Promise<void> {
  for (const [node, record] of records) {
    if (record.kind === 'failed') log.warn('node failed', { job: run.job.name, node, why: record.message });
  }
  const parts = [...run.parts];
  for (const [part, nodes] of run.parts.entries()) {
    if (!nodes.some(({ name }) => records.has(name))) continue;
    const changed = withRecords(nodes, records);
    const { namespace } = settings.frame;
    const object = frozenConfigMap({ job: run.job, namespace, what: 'nodes', part, parts: parts.length, data: formatNodes(changed) });
    await api.apply(object, signal);
    parts[part] = changed;
    run.parts = [...parts];
  }
}

/** null: its pod is made, or was before. */
async function startOn(
  { api, pods, settings, log }: CarryOnContext,
  { run, name }: { readonly run: Run; readonly name: string },
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly record: NodeRecord } | null> {
  const turn = await lookAtNode(api, name, signal);
  if (turn.kind === 'skipped') return { name, record: { kind: 'skipped', reason: turn.reason } as NodeRecord };
  const { config, components } = run.configuration;
  const { timeouts, frame } = settings;
  const pod = makeWorkerPod({
    name: run.podNames.get(name) ?? '',
    job: run.job,
    run: run.kind,
    node: turn.node,
    manager: config.manager,
    components,
    frame: { ...frame, configMaps: run.configMaps, deadlineMs: timeouts.startMs + timeouts.runMs + DEADLINE_MARGIN_MS },
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
      if (made === null) return { name, record: failed('its worker pod is gone: someone deleted it') };
      pods.add(readPodFacts(made));
      return null;
    }
    case 'refused':
      return { name, record: failed(`its worker pod was refused: ${created.message}`) };
  }
}

function failed(message: string): NodeRecord {
  return { kind: 'failed', message, removedImages: 0, reclaimedBytes: 0 };
}
