import * as z from 'zod';
import { LABELS, MANAGER } from '../installation/make-manifest.ts';
import { DEPLOYMENTS, PODS } from '../kube/resource.ts';
import type { ClusterSite } from './cluster-site.ts';

export interface ManagerPods {
  readonly pods: readonly ManagerPod[];
  /** Why the Deployment has no pod; null: it has, or nobody has said. */
  readonly noPod: string | null;
}

export interface ManagerPod {
  readonly name: string;
  readonly node: string | null;
  readonly isReady: boolean;
  /** Of all of its containers. */
  readonly restarts: number;
  readonly trouble: PodTrouble | null;
}

/** Why a pod is not what it should be, and what shows more. */
export interface PodTrouble {
  readonly what: string;
  readonly next: string;
}

/** Those of the Deployment, newest first. */
export async function readManagerPods({ client, namespace, call }: ClusterSite): Promise<ManagerPods> {
  const labelSelector = `control-plane=${LABELS['control-plane']}`;
  const [deployment, { items }] = await Promise.all([
    client.find({ resource: DEPLOYMENTS, namespace, name: MANAGER }, call),
    client.list({ resource: PODS, namespace }, { labelSelector, trim: (object) => podSchema.safeParse(object).data }, call),
  ]);
  const failure = conditionsSchema
    .safeParse(deployment)
    .data?.status?.conditions?.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  // Others in kube-system may have the label.
  const own = items.flatMap((pod) => (pod?.metadata.name.startsWith(`${MANAGER}-`) === true ? [pod] : []));
  const pods = own.toSorted((one, other) => Date.parse(other.metadata.creationTimestamp) - Date.parse(one.metadata.creationTimestamp));
  return { pods: pods.map((pod) => judgePod(pod, namespace)), noPod: failure === undefined ? null : failure.message };
}

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const condition = z.object({ type: z.string(), status: z.string(), message: text });
const conditionsSchema = z.object({ status: z.object({ conditions: z.array(condition).nullish() }).nullish() });
const ended = z.object({ exitCode: z.number(), reason: text, message: text }).nullish();

const podSchema = z.object({
  metadata: z.object({ name: z.string(), creationTimestamp: z.string(), deletionTimestamp: z.string().nullish() }),
  spec: z.object({ nodeName: z.string().nullish() }),
  status: z.object({
    phase: text,
    reason: text,
    message: text,
    conditions: z.array(condition).nullish(),
    containerStatuses: z
      .array(
        z.object({
          name: z.string(),
          ready: z.boolean(),
          restartCount: z.number(),
          state: z.object({ waiting: z.object({ reason: text, message: text }).nullish(), terminated: ended }).nullish(),
          lastState: z.object({ terminated: ended }).nullish(),
        }),
      )
      .nullish(),
  }),
});
type Pod = z.output<typeof podSchema>;
type Container = NonNullable<Pod['status']['containerStatuses']>[number];

function judgePod(pod: Pod, namespace: string): ManagerPod {
  const containers = pod.status.containerStatuses ?? [];
  return {
    name: pod.metadata.name,
    node: pod.spec.nodeName ?? null,
    isReady: containers.length > 0 && containers.every(({ ready }) => ready) && typeof pod.metadata.deletionTimestamp !== 'string',
    restarts: containers.reduce((sum, { restartCount }) => sum + restartCount, 0),
    trouble: troubleOf(pod, namespace),
  };
}

/** What a kubelet says of a container that is about to start. */
const STARTING = ['', 'ContainerCreating', 'PodInitializing'];

function troubleOf({ metadata: { name }, status }: Pod, namespace: string): PodTrouble | null {
  const look = `kubectl describe pod -n ${namespace} ${name}`;
  if (status.phase === 'Failed') return { what: `${status.reason || 'failed'}: ${status.message}`, next: look };
  const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return { what: `is on no node: ${scheduled.message}`, next: look };
  const troubles = (status.containerStatuses ?? []).filter(({ ready }) => !ready).flatMap((container) => containerTrouble(container) ?? []);
  if (troubles.length === 0) return null;
  return {
    what: troubles.map(({ what }) => what).join('; '),
    next: troubles[0]?.log === null ? look : `kubectl logs -n ${namespace} ${name} ${troubles[0]?.log ?? ''}`,
  };
}

function containerTrouble({
  name,
  state,
  lastState,
  restartCount,
}: Container): { readonly what: string; readonly log: string | null } | null {
  const { reason = '', message = '' } = state?.waiting ?? {};
  const last = state?.terminated ?? lastState?.terminated;
  if (last !== undefined && last !== null) {
    const why = [last.reason, last.message.trim()].filter((part) => part !== '').join(': ');
    const how = `the container ${name} ended with ${String(last.exitCode)}${why === '' ? '' : ` (${why})`}, and was started again ${String(restartCount)} times`;
    return { what: how, log: `-c ${name}${typeof state?.terminated?.exitCode !== 'number' ? ' --previous' : ''}` };
  }
  if (!STARTING.includes(reason))
    return { what: `the container ${name} does not start: ${reason}${message === '' ? '' : `: ${message}`}`, log: null };
  return null;
}
