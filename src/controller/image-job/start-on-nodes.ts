import type { WaveTimeouts } from '../../core/cluster/plan-waves.ts';
import { makeWorkerPod, type WorkerFrame } from '../../core/cluster/worker-pod.ts';
import type { Log } from '../../platform/log.ts';
import { errorMessage } from '../../platform/errors.ts';
import type { ClusterApi } from '../ports.ts';
import { judgeTurn, TURN_LOOK_MS, type NodeAtTurn } from './look-at-nodes.ts';
import type { NodeRecord } from './node-records.ts';
import type { NodeView } from './node-view.ts';
import { readPodFacts } from './pod-facts.ts';
import type { Run } from './run.ts';
import type { WorkerPods } from './worker-pods.ts';

/** How many nodes are given a pod at once. */
const STARTS_AT_ONCE = 10;
/** What the kubelet gives a pod beyond the controller's own time-outs. */
const DEADLINE_MARGIN_MS = 5 * 60_000;

export interface StartSettings {
  readonly timeouts: WaveTimeouts;
  readonly frame: Omit<WorkerFrame, 'configMaps' | 'runMs' | 'deadlineMs'>;
}

export interface StartContext {
  readonly api: Pick<ClusterApi, 'find' | 'create'>;
  readonly pods: WorkerPods;
  readonly nodes: NodeView;
  readonly settings: StartSettings;
  readonly log: Log;
}

interface Starts {
  readonly run: Run;
  readonly names: readonly string[];
  /** That they are begun with in; null: the run has no pauses. */
  readonly wave: number | null;
  readonly now: number;
}

export interface Started {
  /** What came at once of nodes that got no pod, and get none any more. */
  readonly refused: ReadonlyMap<string, NodeRecord>;
  /** Why others got none yet; null: all have one. */
  readonly failure: Error | null;
}

/**
 * Gives each of these nodes a pod, if it still may have one. After a failure no others are tried; a node that none can be made for in the time that a pod has
 * to start has failed, so that no run waits for ever.
 */
export async function startOnNodes(context: StartContext, { run, names, wave, now }: Starts, signal: AbortSignal): Promise<Started> {
  const refused = new Map<string, NodeRecord>();
  for (let at = 0; at < names.length; at += STARTS_AT_ONCE) {
    const these = names.slice(at, at + STARTS_AT_ONCE);
    const started = await startTogether(context, { run, names: these, wave, now }, signal);
    let failure: Error | null = null;
    for (const [name, outcome] of started) {
      if (outcome instanceof Error) {
        const since = run.unmadeSince.get(name) ?? now;
        run.unmadeSince.set(name, since);
        if (now - since < context.settings.timeouts.startMs) failure ??= outcome;
        else refused.set(name, failed(`its worker pod could not be made: ${outcome.message}`));
      } else if (outcome !== null) refused.set(name, outcome);
    }
    if (failure !== null) return { refused, failure };
  }
  return { refused, failure: null };
}

type Outcome = NodeRecord | null | Error;

async function startTogether(context: StartContext, { run, names, wave }: Starts, signal: AbortSignal): Promise<[string, Outcome][]> {
  try {
    const seen = await context.nodes.look(names, TURN_LOOK_MS, signal);
    const started = names.map((name) => {
      const turn = judgeTurn(seen.get(name) ?? { kind: 'gone' }, run.configuration.nodeFilter);
      return startOn(context, { run, name, wave, turn }, signal);
    });
    // All of them end before a failure of one is told: what was made has to be known.
    const settled = await Promise.allSettled(started);
    signal.throwIfAborted();
    return settled.map((result, at) => [names[at] ?? '', result.status === 'fulfilled' ? result.value : asError(result.reason)]);
  } catch (error) {
    signal.throwIfAborted();
    return names.map((name) => [name, asError(error)]);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(errorMessage(reason));
}

/** null: its pod is made, or was before. */
async function startOn(
  { api, pods, settings, log }: StartContext,
  { run, name, wave, turn }: { readonly run: Run; readonly name: string; readonly wave: number | null; readonly turn: NodeAtTurn },
  signal: AbortSignal,
): Promise<NodeRecord | null> {
  if (turn.kind === 'skipped') return { kind: 'skipped', reason: turn.reason } as NodeRecord;
  if (turn.kind === 'unreadable') return failed(`the node cannot be read: ${turn.message}`);
  if (wave !== null) run.waves.set(name, wave);
  const { config, components } = run.configuration;
  const { timeouts, frame } = settings;
  const pod = makeWorkerPod({
    name: run.podNames.get(name) ?? '',
    job: run.job,
    run: run.kind,
    node: turn.node,
    manager: config.manager,
    components,
    wave,
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
