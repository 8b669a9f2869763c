import { parsePodReference, type PodReference } from '../../api/workload-references.ts';
import type { NodePods, Runs, Tokens, WorkerPods } from '../../coordinator/ports.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { PODS } from '../../kube/resource.ts';
import { TokenReviewer } from '../../kube/token-reviewer.ts';
import { TokenVerifier } from '../../kube/token-verifier.ts';
import { errorMessage } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { Timing } from '../../platform/timing.ts';
import { isLive, readPodFacts, type PodFacts } from '../image-job/pod-facts.ts';
import type { FindRun } from '../image-job/find-run.ts';
import { workerSettingsOf } from '../image-job/worker-settings.ts';
import type { Manager } from '../manager.ts';

export interface TokensOptions {
  readonly client: Pick<KubeClient, 'review' | 'getPath' | 'server'>;
  readonly audience: string;
  readonly timing: Timing;
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  readonly log: Log;
}

export function bindTokens({ client, audience, timing, wallNow, log }: TokensOptions): Tokens {
  const audiences = [audience];
  const onFault = (fault: unknown): void => {
    if (fault === null) log.info('tokens of workers can be verified by their signatures again');
    else log.warn('the API server reviews each token of a worker, since its keys cannot be read', { error: errorMessage(fault) });
  };
  const verifier = new TokenVerifier({ client, audiences, timing, wallNow, onFault });
  const reviewer = new TokenReviewer({ client, audiences, timing });
  return {
    verify: (token, signal) => verifier.verify(token, signal),
    review: (token, signal) => reviewer.review(token, signal),
  };
}

/** What a worker is told to ask for again: the answer is known in a moment. */
class NotTakenUp extends Error {
  constructor(job: string) {
    super(`the run ${job} has not been taken up yet`);
    this.name = 'NotTakenUp';
  }
}

export function bindRuns(findRun: FindRun): Runs {
  const find = (job: string): ReturnType<FindRun> & { readonly kind: 'goes-on' | 'over' } => {
    const found = findRun(job);
    if (found.kind === 'not-taken-up') throw new NotTakenUp(job);
    return found;
  };
  return {
    isRunning: async (job) => Promise.resolve(find(job).kind === 'goes-on'),
    settingsOf: async (job) => {
      const found = find(job);
      return Promise.resolve(found.kind === 'goes-on' ? workerSettingsOf(found.run) : null);
    },
    takenUpAt: (job) => {
      const found = findRun(job);
      return found.kind === 'goes-on' ? found.takenUpAt : null;
    },
  };
}

export interface WorkerPodsOptions {
  readonly client: Pick<KubeClient, 'find'>;
  readonly namespace: string;
  readonly pods: Manager['pods'];
}

export function bindWorkerPods({ client, namespace, pods }: WorkerPodsOptions): WorkerPods {
  const ask = async (name: string, signal: AbortSignal): Promise<PodFacts | null> => {
    const object = await client.find({ resource: PODS, namespace, name }, { signal });
    return object === null ? null : readPodFacts(object);
  };
  return {
    find: async ({ uid, name }, signal) => {
      const pod = pods.find(uid) ?? (await ask(name, signal));
      if (pod?.uid !== uid || pod.job.uid === '') return null;
      return {
        uid,
        name: pod.name,
        namespace,
        job: pod.job.uid,
        node: pod.node,
        isFinished: !isLive(pod),
        isBeingDeleted: pod.isBeingDeleted,
      };
    },
  };
}

/** All pods that are bound to a node, of all namespaces, as the API server has them now. */
export function bindNodePods(client: Pick<KubeClient, 'list'>): NodePods {
  return {
    list: async (node, signal) => {
      const options = { fieldSelector: `spec.nodeName=${node}`, trim: readPod };
      const { items } = await client.list({ resource: PODS }, options, { signal });
      return items.filter(({ isFinished }) => !isFinished);
    },
  };
}

/** One that cannot be read may need any image: then nothing is removed. */
function readPod(object: KubeObject): PodReference {
  const parsed = parsePodReference(object);
  if (parsed.ok) return parsed.value;
  const problems = parsed.errors.map(({ path, message }) => `${path} ${message}`).join('; ');
  throw new Error(`the pod ${object.metadata.namespace ?? ''}/${object.metadata.name} cannot be read: ${problems}`);
}
