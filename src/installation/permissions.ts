import { COORDINATOR } from '../api/coordinator/coordinator-objects.ts';
import { DISCOVERY_PATH, IDENTITY_NAMESPACE, KEYS_PATH } from '../kube/resource.ts';

/** Where a permission holds. `default`: Kubernetes keeps the Events about objects without a namespace there. */
export type Scope = 'cluster' | 'own-namespace' | 'default-namespace';

export type Permission = ResourcePermission | PathPermission;

export interface ResourcePermission {
  readonly scope: Scope;
  /** Empty: the core group. */
  readonly apiGroup: string;
  readonly resource: string;
  /** Only the objects of these names. */
  readonly resourceNames?: readonly string[];
  /** Why each verb is needed. */
  readonly verbs: Readonly<Record<string, string>>;
}

/** Of what is no object. */
export interface PathPermission {
  readonly scope: 'cluster';
  readonly path: string;
  readonly verbs: Readonly<Record<string, string>>;
}

export const SERVICE_ACCOUNTS = { manager: 'eraser-controller-manager', workers: 'eraser-imagejob-pods' } as const;

/** Whoever holds it leads. */
export const LEASE = 'eraser-controller-manager';

/** Listed when an automatic run begins: what they want again stays on the nodes. */
const WORKLOADS: readonly (readonly [apiGroup: string, resource: string, why: string])[] = [
  ['batch', 'cronjobs', 'to keep the images that a CronJob will run again'],
  ['batch', 'jobs', 'to keep the images of Jobs that have not ended'],
  ['apps', 'deployments', 'to keep the images of Deployments at zero'],
  ['apps', 'statefulsets', 'to keep the images of StatefulSets at zero'],
  ['apps', 'daemonsets', 'to keep the images of DaemonSets that are on no node'],
  [
    'apps',
    'replicasets',
    'to keep the images of ReplicaSets at zero, and of the earlier revisions that a Deployment keeps (`keptRevisions`)',
  ],
  ['apps', 'controllerrevisions', 'to keep the images of the earlier revisions that a StatefulSet or DaemonSet keeps (`keptRevisions`)'],
];

/** All that the manager may do. What is not here, it cannot do: no secret but its own, no exec, no writes to nodes or workloads. */
export const MANAGER_PERMISSIONS: readonly Permission[] = [
  {
    scope: 'cluster',
    apiGroup: 'eraser.sh',
    resource: 'imagelists',
    verbs: {
      get: 'to read the list anew when a run begins, and when its status was changed by another',
      list: 'to know the lists there are',
      watch: 'to learn at once that one was made or changed',
    },
  },
  { scope: 'cluster', apiGroup: 'eraser.sh', resource: 'imagelists/status', verbs: { patch: 'to tell what came of a list' } },
  {
    scope: 'cluster',
    apiGroup: 'eraser.sh',
    resource: 'imagejobs',
    verbs: {
      get: 'to make sure that a job is there, or is not, before a run is begun or given up',
      list: 'to take up runs after a restart, and to count those that have ended',
      watch: 'to learn that a job was deleted',
      create: 'to begin a run',
      delete: 'to delete a job when its time is over, or when there are too many',
    },
  },
  { scope: 'cluster', apiGroup: 'eraser.sh', resource: 'imagejobs/status', verbs: { patch: 'to tell how far a run is' } },
  {
    scope: 'cluster',
    apiGroup: '',
    resource: 'nodes',
    verbs: {
      get: 'to look at a node again at its turn, and while a worker pod is on it',
      list: 'to choose the nodes of a run',
    },
  },
  {
    scope: 'cluster',
    apiGroup: '',
    resource: 'pods',
    verbs: { list: 'to tell a worker which pods are bound to its node, and what images they need' },
  },
  {
    scope: 'cluster',
    apiGroup: '',
    resource: 'namespaces',
    resourceNames: [IDENTITY_NAMESPACE],
    verbs: { get: 'to know the cluster by its uid: a history is of one cluster' },
  },
  {
    scope: 'cluster',
    apiGroup: 'authentication.k8s.io',
    resource: 'tokenreviews',
    verbs: { create: 'to make sure who calls the coordinator, where a signature cannot tell' },
  },
  { scope: 'cluster', path: DISCOVERY_PATH, verbs: { get: 'to know who issues the tokens of those who call the coordinator' } },
  { scope: 'cluster', path: KEYS_PATH, verbs: { get: 'to verify the signatures of these tokens' } },
  {
    scope: 'own-namespace',
    apiGroup: '',
    resource: 'secrets',
    resourceNames: [COORDINATOR.secret],
    verbs: { get: "to read what signs the coordinator's certificate", update: 'to replace it in its time' },
  },
  {
    scope: 'own-namespace',
    apiGroup: '',
    resource: 'secrets',
    verbs: { create: 'to store it for the first time (Kubernetes cannot limit this verb to a name)' },
  },
  {
    scope: 'own-namespace',
    apiGroup: 'discovery.k8s.io',
    resource: 'endpointslices',
    verbs: {
      create: 'to lead the Service of the coordinator to the manager that leads, for the first time',
      patch: 'to lead it there again when another leads',
    },
  },
  ...WORKLOADS.map(([apiGroup, resource, list]): ResourcePermission => ({ scope: 'cluster', apiGroup, resource, verbs: { list } })),
  {
    scope: 'own-namespace',
    apiGroup: '',
    resource: 'configmaps',
    verbs: {
      get: 'to read what was done before a restart (eraser-manager-state)',
      list: 'to read the configuration, the exclusions, and what a run has frozen',
      watch: 'to learn that configuration or exclusions were changed',
      create: 'to freeze what a run goes by; to keep the state',
      patch: 'to put on record what came of a node, and the state',
      deletecollection: 'to throw away what a run had frozen that did not begin',
    },
  },
  {
    scope: 'own-namespace',
    apiGroup: '',
    resource: 'pods',
    verbs: {
      get: 'to read a worker pod whose making was not answered',
      list: 'to know the worker pods there are',
      watch: 'to learn that one has ended',
      create: 'to make the worker pod of a node',
      delete: 'to end a worker pod that has had its time',
      deletecollection: 'to delete the worker pods of a run that is over, together',
    },
  },
  {
    scope: 'own-namespace',
    apiGroup: 'coordination.k8s.io',
    resource: 'leases',
    resourceNames: [LEASE],
    verbs: { get: 'to see whether another process leads', update: 'to lead, and to go on leading' },
  },
  {
    scope: 'own-namespace',
    apiGroup: 'coordination.k8s.io',
    resource: 'leases',
    verbs: { create: 'to lead for the first time (Kubernetes cannot limit this verb to a name)' },
  },
  ...(['own-namespace', 'default-namespace'] as const).map((scope): ResourcePermission => ({
    scope,
    apiGroup: 'events.k8s.io',
    resource: 'events',
    verbs: {
      create:
        scope === 'own-namespace' ? 'to tell of configmaps that cannot be read' : 'to tell of lists and jobs, which have no namespace',
      patch: 'to count up an Event that comes again',
    },
  })),
];

/** Worker pods have no token for the API server at all. */
export const WORKER_PERMISSIONS: readonly Permission[] = [];
