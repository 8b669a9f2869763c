import type { RemovedFromNode } from '../../core/cluster/summarise-job.ts';
import { planWaves, type WaveNode, type WavePause, type WavePlan, type WaveTimeouts } from '../../core/cluster/plan-waves.ts';
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
  /** More nodes that fail have no others begun with. Absent: none do. */
  readonly maxFailed?: number;
  /** By node: the wave that it was begun with in. Absent: the run has no pauses. */
  readonly waves?: ReadonlyMap<string, number>;
  readonly pause?: WavePause;
  readonly timeouts: WaveTimeouts;
  /** Milliseconds on a clock that nobody can set. */
  readonly now: number;
}

export interface JobPlan extends Pick<WavePlan, 'wave' | 'ended' | 'pausedUntil'> {
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
  /** Of the nodes that are to be put on record as failed: those whose pods are gone. */
  readonly bereft: readonly string[];
  readonly sightings: ReadonlyMap<string, Sighting>;
  /** null: only a change of a pod brings something new. */
  readonly lookAgainAt: number | null;
}

/** One look at a run: what came of which node, which pods have had their time, which nodes are next. */
export function planJob(input: JobPlanInput): JobPlan {
  const { nodes, pods } = input;
  const judged = new Map(nodes.map((node) => [node.name, judge(input, node)]));
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
  const all = nodes.flatMap(({ name }) => waveNode(name, judged.get(name), input.waves?.get(name)));
  const { timedOut, ...open } = wavesOf(input, all);
  for (const { name, message } of timedOut) {
    const why = judged.get(name)?.why ?? '';
    records.set(name, { kind: 'failed', message: why === '' ? message : `${message}: ${why}`, removedImages: 0, reclaimedBytes: 0 });
    stopNode(name);
  }
  const notStarted = stoppedBy(input, { judged, records });
  for (const [name, record] of notStarted) records.set(name, record);
  const waves =
    notStarted.size === 0
      ? open
      : wavesOf(
          input,
          all.filter(({ name }) => !notStarted.has(name)),
        );
  const sightings = new Map([...judged].flatMap(([name, { sighting }]) => (sighting === null ? [] : [[name, sighting] as const])));
  return {
    records,
    isToRecordNow: [...records.keys()].some((name) => pods.get(name)?.isBeingDeleted ?? true),
    stop: [...stop.values()],
    start: waves.start,
    inFlight: nodes.filter(({ name }) => isInFlight(judged.get(name))).map(({ name }) => name),
    bereft: [...records].flatMap(([name, { kind }]) => (kind === 'failed' && !pods.has(name) ? [name] : [])),
    sightings,
    wave: waves.wave,
    ended: waves.ended,
    pausedUntil: waves.pausedUntil,
    lookAgainAt: earliest([waves.lookAgainAt, ...deadlines(sightings, blockedMs(input)).filter((at) => at > input.now)]),
  };
}

function wavesOf({ maxParallel, pause, timeouts, now }: JobPlanInput, nodes: readonly WaveNode[]): WavePlan {
  return planWaves({ nodes, maxParallel, ...(pause === undefined ? {} : { pause }), timeouts, now });
}

/** What is to be put on record of all nodes that no pod was made for, once more have failed than may; empty before that. */
function stoppedBy(
  { nodes, maxFailed = Infinity }: JobPlanInput,
  { judged, records }: { readonly judged: ReadonlyMap<string, NodeJudgement>; readonly records: ReadonlyMap<string, NodeRecord> },
): Map<string, NodeRecord> {
  // One of whose containers has failed will have failed, whatever becomes of the others in the minute that they get.
  const failed = nodes.filter(
    ({ name, record }) => (records.get(name) ?? record).kind === 'failed' || judged.get(name)?.sighting?.phase === 'failing',
  ).length;
  if (failed <= maxFailed) return new Map();
  const reason = { code: 'not-started', failed, nodes: nodes.filter(({ participating }) => participating !== null).length } as const;
  const isOpen = (name: string): boolean => ['waiting', 'held'].includes(judged.get(name)?.progress.kind ?? '');
  return new Map(nodes.flatMap(({ name }) => (isOpen(name) ? [[name, { kind: 'skipped', reason }] as const] : [])));
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

function waveNode(name: string, judged: NodeJudgement | undefined, wave: number | undefined): WaveNode[] {
  if (judged === undefined || judged.progress.kind === 'held') return [];
  return [{ name, progress: judged.progress, ...(wave === undefined ? {} : { wave }) }];
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
