import { MANAGER } from '../installation/make-manifest.ts';
import { DEPLOYMENTS, PODS, WORKLOADS } from '../kube/resource.ts';
import type { Timing } from '../platform/timing.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import { deploymentSchema, judgeRollout, podSchema, type Rollout, type RolloutPod } from './judge-rollout.ts';

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly timing: Timing;
  /** Takes a line when there is something new to say. */
  readonly tell: (line: string) => void;
}

const POLL_MS = 500;
/** How long something that may pass is looked at: an autoscaler may make a node, a registry may come back. */
const PATIENCE_MS = 30_000;
/** The Deployment's versions are counted in it, and in its ReplicaSets'. */
const REVISION = 'deployment.kubernetes.io/revision';
const VERSION_LABEL = 'pod-template-hash';

/** Until the manager runs in the version that was applied last. Throws a ClusterError `not-ready` that says why it does not. */
export async function waitUntilReady(site: ClusterSite, { timeoutMs, timing, tell }: WaitOptions): Promise<void> {
  const startedAt = timing.now();
  let told = '';
  let stuckSince: number | null = null;
  for (;;) {
    const rollout = await look(site);
    if (rollout.kind === 'ready') return;
    if (rollout.what !== told) tell(rollout.kind === 'stuck' ? rollout.what : `Waiting for ${rollout.what}`);
    told = rollout.what;
    const now = timing.now();
    stuckSince = rollout.kind === 'stuck' ? (stuckSince ?? now) : null;
    const isPatient = stuckSince === null || (rollout.kind === 'stuck' && rollout.mayPass && now - stuckSince < PATIENCE_MS);
    if (!isPatient || now - startedAt >= timeoutMs) throw notReady(rollout, timeoutMs);
    await timing.sleep(POLL_MS, site.call.signal);
  }
}

async function look(site: ClusterSite): Promise<Rollout> {
  const { client, namespace, call } = site;
  const deployment = await client.find({ resource: DEPLOYMENTS, namespace, name: MANAGER }, call);
  if (deployment === null)
    return { kind: 'stuck', what: `the Deployment ${MANAGER} was deleted meanwhile`, hint: 'Enable again.', mayPass: false };
  const parsed = deploymentSchema.parse(deployment);
  return judgeRollout(parsed, await podsOfVersion(site, parsed.metadata.annotations[REVISION]), namespace);
}

/** Those of earlier versions may be stuck in what this one is to cure. */
async function podsOfVersion({ client, namespace, call }: ClusterSite, revision: string | undefined): Promise<RolloutPod[]> {
  const labelSelector = 'control-plane=controller-manager';
  const versions = await client.list(
    { resource: WORKLOADS.ReplicaSet, namespace },
    { labelSelector, trim: ({ metadata }) => ({ annotations: strings(metadata['annotations']), labels: strings(metadata['labels']) }) },
    call,
  );
  const hash = versions.items.find(({ annotations }) => annotations[REVISION] === revision)?.labels[VERSION_LABEL];
  if (revision === undefined || hash === undefined) return [];
  const pods = await client.list(
    { resource: PODS, namespace },
    { labelSelector: `${labelSelector},${VERSION_LABEL}=${hash}`, trim: (pod) => podSchema.parse(pod) },
    call,
  );
  return pods.items;
}

function strings(map: unknown): Readonly<Partial<Record<string, string>>> {
  return (map ?? {}) as Readonly<Record<string, string>>;
}

function notReady(rollout: Exclude<Rollout, { readonly kind: 'ready' }>, timeoutMs: number): ClusterError {
  const seconds = Math.round(timeoutMs / 1000);
  return rollout.kind === 'stuck'
    ? new ClusterError({ code: 'not-ready', message: `All is made, but the manager does not start: ${rollout.what}`, hint: rollout.hint })
    : new ClusterError({
        code: 'not-ready',
        message: `All is made, but after ${seconds} s this is still waited for: ${rollout.what}`,
        hint: 'Look again with `image-cleaner cluster version`, or wait longer with --wait-timeout.',
      });
}
