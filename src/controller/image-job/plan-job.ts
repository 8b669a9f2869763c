import type { RemovedFromNode } from '../../core/cluster/summarise-job.ts';
import { planWaves, type WaveNode, type WaveTimeouts } from '../../core/cluster/plan-waves.ts';
import { FAILING_GRACE_MS, judgeNode, LEAVING_MS, STOPPING_MS, type NodeJudgement, type Sighting } from './judge-node.ts';
import { hasOutcome, type NodeRecord, type RunNode } from './node-records.ts';
import type { PodFacts } from './pod-facts.ts';

export interface JobPlanInput {
  /** In the order in which they are to be started. */
  readonly nodes: readonly RunNode[];
  /** The pods of this run, by node. */
  readonly pods: ReadonlyMap<string, PodFacts>;
  /** By node: results of pods of this run that are in the history. */
  readonly reported: ReadonlyMap<string, RemovedFromNode>;
  /** The nodes that this process has made a pod for. */
  readonly made: ReadonlySet<string>;
  /** What is wrong with nodes that pods of this run are on. */
  readonly nodeFaults: ReadonlyMap<string, string>;
  /** The nodes on which pods of other runs may still work. */
  readonly occupied: ReadonlySet<string>;
  readonly sightings: ReadonlyMap<string, Sighting>;
  readonly maxParallel: number;
  readonly timeouts: WaveTimeouts;
  /** Milliseconds on a clock that nobody can set. */
  readonly now: number;
}

export interface JobPlan {
  /** What is to be put on record, before any pod is deleted. */
  readonly records: ReadonlyMap<string, NodeRecord>;
  /** Whether that may be known only now: a pod of one of them is gone, or about to be. */
  readonly isToRecordNow: boolean;
  /** The pods to delete. */
  readonly stop: readonly PodFacts[];
  /** The nodes to make a pod for. */
  readonly start: readonly string[];
  /** The nodes whose pods have not ended. */
  readonly inFlight: readonly string[];
  readonly sightings: ReadonlyMap<string, Sighting>;
  /** null: only a change of a pod brings something new. */
  readonly lookAgainAt: number | null;
}

/** One look at a run: what came of which node, which pods have had their time, which nodes are next. */
export function planJob(input: JobPlanInput): JobPlan {
  const { nodes, pods, now, timeouts, maxParallel } = input;
  const judged = new Map(nodes.map((node) => [node.name, judge(input, node)]));
  const waves = planWaves({ nodes: nodes.flatMap(({ name }) => waveNode(name, judged.get(name))), maxParallel, timeouts, now });
  const records = new Map<string, NodeRecord>();
  const stop = new Map<string, PodFacts>();
  const stopNode = (name: string): void => {
    const pod = pods.get(name);
    if (pod !== undefined) stop.set(name, pod);
  };
  for (const [name, { record, isToStop }] of judged) {
    if (record !== null) records.set(name, record);
    if (isToStop) stopNode(name);
  }
  for (const { name, message } of waves.timedOut) {
    const why = judged.get(name)?.why ?? '';
    records.set(name, { kind: 'failed', message: why === '' ? message : `${message}: ${why}`, removedImages: 0, reclaimedBytes: 0 });
    stopNode(name);
  }
  const sightings = new Map([...judged].flatMap(([name, { sighting }]) => (sighting === null ? [] : [[name, sighting] as const])));
  return {
    records,
    isToRecordNow: [...records.keys()].some((name) => pods.get(name)?.isBeingDeleted ?? true),
    stop: [...stop.values()],
    start: waves.start,
    inFlight: nodes.filter(({ name }) => isInFlight(judged.get(name))).map(({ name }) => name),
    sightings,
    lookAgainAt: earliest([waves.lookAgainAt, ...deadlines(sightings, blockedMs(input)).filter((at) => at > now)]),
  };
}

/** All nodes, with what was put on record. */
export function withRecords(nodes: readonly RunNode[], records: ReadonlyMap<string, NodeRecord>): RunNode[] {
  return nodes.map((node) => ({ ...node, record: records.get(node.name) ?? node.record }));
}

export function isOver(nodes: readonly RunNode[]): boolean {
  return nodes.every(({ record }) => hasOutcome(record));
}

/** Another run has so long for a node at most. */
function blockedMs({ timeouts }: JobPlanInput): number {
  return timeouts.startMs + timeouts.runMs;
}

function judge(input: JobPlanInput, { name, record }: RunNode): NodeJudgement {
  return judgeNode({
    record,
    pod: input.pods.get(name) ?? null,
    reported: input.reported.get(name) ?? null,
    isMade: input.made.has(name),
    nodeFault: input.nodeFaults.get(name) ?? null,
    isOccupied: input.occupied.has(name),
    sighting: input.sightings.get(name) ?? null,
    blockedMs: blockedMs(input),
    now: input.now,
  });
}

function waveNode(name: string, judged: NodeJudgement | undefined): WaveNode[] {
  return judged === undefined || judged.progress.kind === 'held' ? [] : [{ name, progress: judged.progress }];
}

function isInFlight(judged: NodeJudgement | undefined): boolean {
  return judged?.progress.kind === 'pending' || judged?.progress.kind === 'running';
}

function deadlines(sightings: ReadonlyMap<string, Sighting>, blocked: number): number[] {
  const after = { failing: FAILING_GRACE_MS, leaving: LEAVING_MS, stopping: STOPPING_MS, blocked } as const;
  return [...sightings.values()].flatMap(({ phase, since }) => (phase === 'pending' || phase === 'running' ? [] : [since + after[phase]]));
}

function earliest(times: readonly (number | null)[]): number | null {
  return times.reduce<number | null>((least, time) => (time === null ? least : Math.min(least ?? time, time)), null);
}
