import * as z from 'zod';

/** Whether a Deployment is up in its last version, or why it will not be. */
export type Rollout =
  | { readonly kind: 'ready' }
  | { readonly kind: 'waiting'; readonly what: string }
  /** What an operator has to see to; waiting longer does not help, or, while it `mayPass`, perhaps does. */
  | { readonly kind: 'stuck'; readonly what: string; readonly hint: string; readonly mayPass: boolean };

export const deploymentSchema = z.object({
  metadata: z.object({
    generation: z.number().default(0),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({ replicas: z.int().default(1) }),
  status: z
    .object({
      observedGeneration: z.number().default(0),
      replicas: z.int().default(0),
      updatedReplicas: z.int().default(0),
      availableReplicas: z.int().default(0),
      conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string().default('') })).default([]),
    })
    .prefault({}),
});

const stateSchema = z
  .object({
    waiting: z.object({ reason: z.string().default(''), message: z.string().default('') }).optional(),
    terminated: z.object({ exitCode: z.int(), reason: z.string().default(''), message: z.string().default('') }).optional(),
  })
  .prefault({});
export const podSchema = z.object({
  metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
  status: z
    .object({
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), reason: z.string().default(''), message: z.string().default('') }))
        .default([]),
      containerStatuses: z
        .array(
          z.object({ name: z.string(), image: z.string().default(''), ready: z.boolean(), state: stateSchema, lastState: stateSchema }),
        )
        .default([]),
    })
    .prefault({}),
});
export type RolloutPod = z.output<typeof podSchema>;

/** `pods`: those of the Deployment's last version. */
export function judgeRollout(
  { metadata, spec, status }: z.output<typeof deploymentSchema>,
  pods: readonly RolloutPod[],
  namespace: string,
): Rollout {
  if (status.observedGeneration < metadata.generation) return { kind: 'waiting', what: 'the Deployment to be taken up' };
  const { replicas, updatedReplicas, availableReplicas } = status;
  if (updatedReplicas >= spec.replicas && replicas === updatedReplicas && availableReplicas >= spec.replicas) return { kind: 'ready' };
  const failure = status.conditions.find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True');
  if (failure !== undefined) {
    const hint = 'Something in the cluster refuses the pod: a quota, Pod Security or an admission webhook. Allow it, then enable again.';
    return { kind: 'stuck', what: `the pod cannot be made: ${failure.message}`, hint, mayPass: false };
  }
  const present = pods.filter(({ metadata: { deletionTimestamp } }) => deletionTimestamp === undefined);
  for (const pod of present) {
    const stuck = judgePod(pod, namespace);
    if (stuck !== null) return stuck;
  }
  const [pod] = present;
  if (pod === undefined) return { kind: 'waiting', what: "the manager's pod to be made" };
  const starting = pod.status.containerStatuses.filter(({ ready }) => !ready).map(({ name }) => name);
  const what =
    starting.length === 0 ? 'the manager to be available' : `${starting.join(' and ')} of the pod ${pod.metadata.name} to be ready`;
  return { kind: 'waiting', what };
}

/** Reasons for which the kubelet waits with a container, but goes on to try in vain. */
const OF_IMAGES = ['ImagePullBackOff', 'ErrImagePull', 'InvalidImageName', 'ErrImageNeverPull', 'ImageInspectError'];
const OF_CONTAINERS = ['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'];

function judgePod({ metadata: { name }, status }: RolloutPod, namespace: string): Rollout | null {
  const unscheduled = status.conditions.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  if (unscheduled !== undefined) {
    const hint = `The manager needs a Linux node with 100m of processor and 384Mi of memory to spare. kubectl describe pod -n ${namespace} ${name}`;
    return { kind: 'stuck', what: `no node takes the pod ${name}: ${unscheduled.message}`, hint, mayPass: true };
  }
  for (const { name: container, image, state, lastState } of status.containerStatuses) {
    const { reason = '', message = '' } = state.waiting ?? {};
    if (OF_IMAGES.includes(reason)) {
      const hint =
        'Check that the image is in the registry, and that the nodes may pull it; name another with --image and --scanner-image. ' +
        'Pull secrets go to the service account eraser-controller-manager.';
      return {
        kind: 'stuck',
        what: `the image ${image} of ${container} cannot be pulled (${reason}): ${message}`,
        hint,
        mayPass: reason === 'ErrImagePull',
      };
    }
    const logs = `kubectl logs -n ${namespace} ${name} -c ${container}`;
    if (OF_CONTAINERS.includes(reason)) {
      const hint = `kubectl describe pod -n ${namespace} ${name}`;
      return { kind: 'stuck', what: `${container} cannot be started (${reason}): ${message}`, hint, mayPass: false };
    }
    if (reason === 'CrashLoopBackOff') {
      const { exitCode, reason: why = '', message: said = '' } = lastState.terminated ?? {};
      const end = exitCode === undefined ? '' : `, the last time with the code ${exitCode}${why === '' ? '' : ` (${why})`}`;
      const what = `${container} ends again and again${end}${said === '' ? '' : `: ${said}`}`;
      return { kind: 'stuck', what, hint: `Its log says why: ${logs} --previous`, mayPass: false };
    }
  }
  return null;
}
