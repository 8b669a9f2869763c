import type { Model, Step } from '../explore.ts';
import { Texts } from '../texts.ts';
import { ApiServer, isLive } from './carry-out.ts';
import { PlayTurns } from './play-turn.ts';
import { REMOVED } from './raw-objects.ts';
import { recordResults } from './record-results.ts';
import { hasOutcome, type NodeRecord } from '../../../src/controller/image-job/node-records.ts';
import { RunSteps, type Actor, type RunStep } from './steps.ts';
import { nodeName, pairOf, type Memory, type RunBounds, type State } from './state.ts';

/** A run over a cluster, from its job on, driven by the manager's own reconciler, whatever of the rest goes wrong. */
export function makeRunModel(bounds: RunBounds): Model<State> {
  const texts = new Texts();
  const api = new ApiServer({ texts, maxParallel: bounds.maxParallel });
  const steps = new RunSteps({ bounds, turns: new PlayTurns(bounds, texts), api, texts, recordResults });
  const model: Omit<Model<State>, 'initial'> = {
    keyOf: (state) => JSON.stringify(state),
    stepsOf: (state) => steps.of(state),
    brokenIn: (state) => brokenIn(state, api, bounds),
    worlds: {
      'all goes well again': {
        choose: (open) => firstBy(open, ['network', 'manager', 'requester', 'cluster', 'kubelet', 'time']),
        isEnd: (state) => state.isSilent || (state.jobs.every(({ exists }) => !exists) && Object.keys(state.pods).length === 0),
      },
      'no kubelet answers any more': {
        choose: (open) => firstBy(open, ['silence', 'network', 'manager', 'requester', 'cluster', 'time']),
        isEnd: (state) => state.jobs.every(({ exists }) => !exists),
      },
    },
  };
  return { ...model, initial: firstState(bounds, steps) };
}

function firstBy(steps: readonly Step<State>[], order: readonly Actor[]): Step<State> | undefined {
  for (const actor of order) {
    const found = steps.find((step) => (step as RunStep).by === actor);
    if (found !== undefined) return found;
  }
  return undefined;
}

function firstState({ nodes, jobs, faults, waits }: RunBounds, steps: RunSteps): State {
  const all = Array.from({ length: jobs }, (_, job) => job);
  const memory: Memory = {
    pods: {},
    jobs: all.map(() => null),
    made: [],
    reported: [],
    runs: all.map(() => null),
    leaving: all.map(() => null),
    cleared: all.map(() => null),
  };
  return {
    jobs: all.map(() => ({ exists: true, status: null, hasEnded: false, isAwaited: true, maps: {} })),
    pods: {},
    nodes: Array.from({ length: nodes }, () => 'ready' as const),
    history: {},
    leader: { memory: steps.remember(memory), untold: [], queue: all.map(() => 0), turn: null },
    late: [],
    isOldHeard: false,
    faultsLeft: faults,
    waitsLeft: waits,
    isSilent: false,
    seen: { made: {}, meddled: {}, acknowledged: {} },
  };
}

function brokenIn(state: State, api: ApiServer, { may }: RunBounds): string | null {
  for (const node of state.nodes.keys()) {
    const live = Object.values(state.pods).filter((pod) => pod.node === node && isLive(pod));
    // One that was made late counts where it is the only one: whoever made it did not know of the other.
    if (live.filter(({ isLate }) => !isLate).length > 1) return `two pods are at work on ${nodeName(node)} at once`;
  }
  for (const [job, one] of state.jobs.entries()) {
    if (!one.exists || !one.hasEnded) continue;
    const records = api.recordsOf(one, job);
    const status = api.statusOf(one);
    const isLost = status.conditions?.some(({ reason }) => reason === 'RunLost') ?? false;
    // Calls that come late from one leader may throw away what the next one has stored for a run that begins: then it fails, and its pods go.
    if ((isLost || records === null) && may.includes('late-calls')) continue;
    if (isLost || records === null) return 'a run is lost';
    const all = [...records.values()];
    if (!all.every(hasOutcome)) return 'a run has ended before all of its nodes';
    const sum = all.reduce((removed, record) => removed + removedBy(record), 0);
    if (status.removedImages !== sum) return 'the totals of a run are not those of its nodes';
    const { succeeded = 0, failed = 0, skipped = 0, desired = 0 } = status;
    if (desired !== all.length || succeeded + failed + skipped !== desired) return 'a run has other nodes than it began with';
    for (const node of state.nodes.keys()) {
      const isKept = removedBy(records.get(node)) === REMOVED.removedImages;
      if (state.seen.acknowledged[pairOf(job, node)] === 'in-time' && !isKept) return 'a result that was acknowledged is not on record';
    }
  }
  return null;
}

function removedBy(record: NodeRecord | undefined): number {
  return record?.kind === 'succeeded' || record?.kind === 'failed' ? record.removedImages : 0;
}
