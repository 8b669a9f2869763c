import { COORDINATOR } from '../api/coordinator/coordinator-objects.ts';
import { JOB_UID_LABEL } from '../api/worker-pod.ts';
import { HEALTH_PORT, LABELS, MANAGER } from './manager-names.ts';
import { SERVICE_ACCOUNTS } from './permissions.ts';

/** What an installation has only where it is wanted. */
export interface ExtraOptions {
  readonly namespace: string;
  /** A claim of this size for the history, by the storage class of that name or the cluster's default. */
  readonly historyClaim?: { readonly size: string; readonly accessMode: string; readonly storageClassName?: string };
  /** By which the Deployment selects its pods, which cannot be changed while it is there: where it is to take over another's. */
  readonly selector?: Readonly<Record<string, string>>;
  /** The budget's spec without its selector: `{ maxUnavailable: 1 }`. */
  readonly podDisruptionBudget?: object;
  /** Whether only worker pods reach the coordinator, and nobody the worker pods. */
  readonly networkPolicy?: boolean;
  /** Whether the service accounts may use the security context constraints of OpenShift that their pods need. */
  readonly openshift?: boolean;
}

export const HISTORY_CLAIM = 'eraser-history';
/** Of the policy about worker pods. */
const WORKERS = 'eraser-worker-pods';

export function makeExtras(options: ExtraOptions): object[] {
  const { namespace, historyClaim, podDisruptionBudget, networkPolicy = false, openshift = false, selector = LABELS } = options;
  const metadataOf = (name: string): object => ({ name, namespace, labels: LABELS });
  const ourPods = { matchLabels: selector };
  return [
    ...(historyClaim === undefined ? [] : [claim(metadataOf(HISTORY_CLAIM), historyClaim)]),
    ...(podDisruptionBudget === undefined
      ? []
      : [
          {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: metadataOf(MANAGER),
            spec: { ...podDisruptionBudget, selector: ourPods },
          },
        ]),
    ...(networkPolicy ? [managerPolicy(metadataOf(MANAGER), ourPods), workerPolicy(metadataOf(WORKERS))] : []),
    ...(openshift
      ? [
          // A user of its own choice, and no more.
          useOfConstraints(metadataOf('eraser-manager-scc'), 'nonroot-v2', { name: SERVICE_ACCOUNTS.manager, namespace }),
          // Folders of the node, as root, and an SELinux type of its own choice.
          useOfConstraints(metadataOf('eraser-worker-scc'), 'privileged', { name: SERVICE_ACCOUNTS.workers, namespace }),
        ]
      : []),
  ];
}

function claim(metadata: object, { size, accessMode, storageClassName }: NonNullable<ExtraOptions['historyClaim']>): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata,
    spec: {
      accessModes: [accessMode],
      resources: { requests: { storage: size } },
      ...(storageClassName === undefined ? {} : { storageClassName }),
    },
  };
}

/** OpenShift has a ClusterRole for each of its constraints, which lets its subjects use them. */
function useOfConstraints(metadata: object, constraints: string, account: { readonly name: string; readonly namespace: string }): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `system:openshift:scc:${constraints}` },
    subjects: [{ kind: 'ServiceAccount', ...account }],
  };
}

const WORKER_PODS = { matchExpressions: [{ key: JOB_UID_LABEL, operator: 'Exists' }] };

/** The kubelet's probes come from the node, which no selector describes. */
function managerPolicy(metadata: object, podSelector: object): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata,
    spec: {
      podSelector,
      policyTypes: ['Ingress'],
      ingress: [
        { from: [{ podSelector: WORKER_PODS }], ports: [{ port: COORDINATOR.port, protocol: 'TCP' }] },
        { ports: [{ port: HEALTH_PORT, protocol: 'TCP' }] },
      ],
    },
  };
}

/** Where they may go is left to the cluster: a custom scanner may need more than we know. */
function workerPolicy(metadata: object): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata,
    spec: { podSelector: WORKER_PODS, policyTypes: ['Ingress'], ingress: [] },
  };
}
