import { countOfMaxFailed } from '../../core/cluster/max-failed.ts';
import { countOfMaxParallel, type MaxParallel } from '../../core/cluster/max-parallel.ts';
import { errorFields } from '../../platform/errors.ts';
import type { ClusterApi } from '../ports.ts';
import { findNodeFaults, flightLookMs, TURN_LOOK_MS } from './look-at-nodes.ts';
import type { SeenNode } from './node-view.ts';
import { planJob, type JobPlan } from './plan-job.ts';
import type { PodFacts } from './pod-facts.ts';
import { dueAt, noteRecords, writeRecords } from './put-on-record.ts';
import type { Run } from './run.ts';
import { startOnNodes, type StartContext, type StartSettings } from './start-on-nodes.ts';

export interface RunSettings extends StartSettings {
  /** In the place of what the configuration says; null: it holds. */
  readonly maxParallel: MaxParallel | null;
  /** How long a node may be unready before its pod is given up. */
  readonly nodeGraceMs: number;
}

export interface CarryOnContext extends StartContext {
  readonly api: Pick<ClusterApi, 'find' | 'create' | 'apply' | 'delete'>;
  readonly settings: RunSettings;
  /** Milliseconds on a clock that nobody can set. */
  readonly monotonicNow: () => number;
}

export interface CarriedOn {
  /** When to look again, if nothing else asks; null: when something does. */
  readonly againAfterMs: number | null;
  /** Why pods could not be made that may be made later; null: none. All else was done. */
  readonly failure: Error | null;
}

/**
 * One look at a run and what follows from it. What came of a node is on record before its pod is touched, and a pod is made under a name of its own:
 * whatever of this has happened when a controller is killed, the next one finds it.
 */
export async function carryOnRun(context: CarryOnContext, run: Run, signal: AbortSignal): Promise<CarriedOn> {
  const { api, settings, monotonicNow } = context;
  const { namespace } = settings.frame;
  const now = monotonicNow();
  noteWaves(context, run);
  const plan = await planWithNodes(context, { run, now }, signal);
  run.sightings = plan.sightings;
  notePause(context, run, plan);
  noteRecords(context, run, { records: plan.records, now });
  if (plan.stop.length > 0 || plan.isToRecordNow || dueAt(run) <= now) await writeRecords(api, { run, namespace }, signal);
  for (const { name, uid } of plan.stop) await api.delete('Pod', { name, uid }, signal);
  const { refused, failure } = await startOnNodes(context, { run, names: plan.start, wave: plan.wave, now }, signal);
  noteRecords(context, run, { records: refused, now });
  if (dueAt(run) <= now) await writeRecords(api, { run, namespace }, signal);
  if (failure !== null) return { againAfterMs: null, failure };
  // Their places are free.
  if (refused.size > 0) return { againAfterMs: 0, failure };
  const isAnyInFlight = plan.inFlight.length + plan.start.length > 0;
  const looks = [plan.lookAgainAt ?? Infinity, dueAt(run), isAnyInFlight ? nodesDueAt(context, run) : Infinity];
  const next = Math.min(...looks);
  return { againAfterMs: next === Infinity ? null : Math.max(0, next - now), failure };
}

/** The label of a pod counts, also where its making was not answered and another wave was meant for the node next. */
function noteWaves({ pods }: CarryOnContext, run: Run): void {
  if (pauseMsOf(run) === 0) return;
  const known = pods.of(run.job.uid);
  for (const [node, name] of run.podNames) {
    const wave = known.get(name)?.wave;
    if (wave !== undefined) run.waves.set(node, wave);
  }
}

function pauseMsOf({ configuration }: Run): number {
  return configuration.config.manager.imageJob.waves.pause;
}

function notePause({ log }: CarryOnContext, run: Run, { ended, pausedUntil }: JobPlan): void {
  run.endedWave = ended;
  const pausedAfter = pausedUntil === null ? null : (ended?.wave ?? null);
  if (pausedAfter === run.pausedAfter) return;
  run.pausedAfter = pausedAfter;
  run.isStatusTold = false;
  if (pausedAfter === null) return;
  // What could not be made before is tried anew, in the time that it has then.
  run.unmadeSince.clear();
  log.info('run pauses between waves', { job: run.job.name, wave: pausedAfter });
}

async function planWithNodes(
  context: CarryOnContext,
  { run, now }: { readonly run: Run; readonly now: number },
  signal: AbortSignal,
): Promise<JobPlan> {
  const graceMs = context.settings.nodeGraceMs;
  const plan = planOf(context, { run, now, nodeFaults: new Map() });
  const isDue = now >= nodesDueAt(context, run);
  if (!isDue && plan.bereft.length === 0) return plan;
  if (isDue) run.nodesSeenAt = now;
  const seen = await lookAtFlight(context, isDue ? [...plan.inFlight, ...plan.bereft] : plan.bereft, signal);
  const inFlight = new Set(plan.inFlight);
  for (const name of run.unreadySince.keys()) if (!inFlight.has(name)) run.unreadySince.delete(name);
  // Kubernetes deletes the pods of a node that is gone, most often before it is looked at: what became of the node says more.
  const nodeFaults = findNodeFaults({ run, nodes: seen, graceMs, now });
  return nodeFaults.size === 0 ? plan : planOf(context, { run, now, nodeFaults });
}

/** Pods that end can be told without their nodes: that these cannot be looked at keeps no run from going on. */
async function lookAtFlight(
  { nodes, settings, log }: CarryOnContext,
  names: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, SeenNode>> {
  try {
    return await nodes.look(names, Math.min(TURN_LOOK_MS, flightLookMs(settings.nodeGraceMs)), signal);
  } catch (error) {
    signal.throwIfAborted();
    log.warn('nodes cannot be looked at', errorFields(error));
    return new Map();
  }
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
    reported: pods.reportedOf(run.job.uid),
    made: new Set([...run.podNames].filter(([, name]) => pods.isMade(name)).map(([node]) => node)),
    nodeFaults,
    occupied: pods.occupiedBesides(run.job.uid),
    sightings: run.sightings,
    maxParallel: countOfMaxParallel(settings.maxParallel ?? run.configuration.maxParallel, participating),
    maxFailed: countOfMaxFailed(run.configuration.maxFailed, participating),
    waves: run.waves,
    pause: { ms: pauseMsOf(run), ended: run.endedWave },
    timeouts: settings.timeouts,
    now,
  });
}
