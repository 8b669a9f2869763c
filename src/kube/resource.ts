import type { WorkloadKind } from '../api/workload-references.ts';

/** A kind of object of the Kubernetes API, as its paths name it. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** As in paths and RBAC rules: `configmaps`. */
  readonly plural: string;
  readonly namespaced: boolean;
}

/** The objects of a resource: in one namespace or, without one, in all. */
export interface Collection {
  readonly resource: Resource;
  readonly namespace?: string;
}

export interface ObjectReference extends Collection {
  readonly name: string;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** Where every API server tells who issues tokens of service accounts, and their keys (OpenID Connect Discovery); whatever address the first names. */
export const DISCOVERY_PATH = '/.well-known/openid-configuration';
export const KEYS_PATH = '/openid/v1/jwks';

/** Every cluster has it from its beginning to its end, and no API server lets it be deleted: its uid tells one cluster from another. */
export const IDENTITY_NAMESPACE = 'kube-system';

/** What a request is about, in the words of RBAC, for messages. */
export type Intent = ResourceIntent | PathIntent;

export interface ResourceIntent extends Collection {
  readonly verb: Verb;
  readonly name?: string;
  readonly subresource?: string;
}

/** Of what is no object: a nonResourceURL. */
export interface PathIntent {
  readonly verb: 'get';
  /** `/openid/v1/jwks`. */
  readonly path: string;
}

/** Leaves out what else the collection has, such as the name of a reference to one of its objects. */
export function intentOn(verb: Verb, { resource, namespace }: Collection): ResourceIntent {
  return namespace === undefined ? { verb, resource } : { verb, resource, namespace };
}

export const CONFIG_MAPS: Resource = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };
export const NAMESPACES: Resource = { group: '', version: 'v1', plural: 'namespaces', namespaced: false };
export const NODES: Resource = { group: '', version: 'v1', plural: 'nodes', namespaced: false };
export const PODS: Resource = { group: '', version: 'v1', plural: 'pods', namespaced: true };
export const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', namespaced: true };
export const ENDPOINT_SLICES: Resource = { group: 'discovery.k8s.io', version: 'v1', plural: 'endpointslices', namespaced: true };
export const DEPLOYMENTS: Resource = { group: 'apps', version: 'v1', plural: 'deployments', namespaced: true };
export const LEASES: Resource = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', namespaced: true };
export const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', plural: 'events', namespaced: true };
export const SERVICES: Resource = { group: '', version: 'v1', plural: 'services', namespaced: true };
export const SERVICE_ACCOUNTS: Resource = { group: '', version: 'v1', plural: 'serviceaccounts', namespaced: true };
export const PRIORITY_CLASSES: Resource = { group: 'scheduling.k8s.io', version: 'v1', plural: 'priorityclasses', namespaced: false };
export const DEFINITIONS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
const rbac = (plural: string, namespaced: boolean): Resource => ({ group: 'rbac.authorization.k8s.io', version: 'v1', plural, namespaced });
export const ROLES = rbac('roles', true);
export const ROLE_BINDINGS = rbac('rolebindings', true);
export const CLUSTER_ROLES = rbac('clusterroles', false);
export const CLUSTER_ROLE_BINDINGS = rbac('clusterrolebindings', false);
export const ACCESS_REVIEWS: Resource = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'selfsubjectaccessreviews',
  namespaced: false,
};
export const TOKEN_REVIEWS: Resource = { group: 'authentication.k8s.io', version: 'v1', plural: 'tokenreviews', namespaced: false };

const apps = (plural: string): Resource => ({ group: 'apps', version: 'v1', plural, namespaced: true });
const batch = (plural: string): Resource => ({ group: 'batch', version: 'v1', plural, namespaced: true });
export const WORKLOADS: Readonly<Record<WorkloadKind, Resource>> = {
  CronJob: batch('cronjobs'),
  Job: batch('jobs'),
  Deployment: DEPLOYMENTS,
  StatefulSet: apps('statefulsets'),
  DaemonSet: apps('daemonsets'),
  ReplicaSet: apps('replicasets'),
  ControllerRevision: apps('controllerrevisions'),
};

export function apiVersionOf({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`;
}

/** The path of a request, without a query. A namespaced object without its namespace has none: that is a fault of the caller. */
export function pathOf(intent: Intent): string {
  if ('path' in intent) return intent.path;
  const { resource, namespace, name, subresource, verb } = intent;
  const { group, version, plural, namespaced } = resource;
  if (namespaced && namespace === undefined && (name !== undefined || verb === 'create')) {
    throw new TypeError(`${verb} ${plural}: no namespace was given`);
  }
  const root = group === '' ? ['api', version] : ['apis', group, version];
  const place = namespaced && namespace !== undefined ? ['namespaces', namespace] : [];
  const segments = [...root, ...place, plural, name, subresource].filter((segment) => segment !== undefined);
  return `/${segments.map(encodeURIComponent).join('/')}`;
}

/** `list configmaps in namespace shop`, `patch nodes/status node-1`, `update leases kube-system/leader`. */
export function describeIntent(intent: Intent): string {
  if ('path' in intent) return `${intent.verb} ${intent.path}`;
  const { verb, resource, namespace, name, subresource } = intent;
  const what = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
  if (name !== undefined) return `${verb} ${what} ${namespace === undefined ? name : `${namespace}/${name}`}`;
  return namespace === undefined ? `${verb} ${what}` : `${verb} ${what} in namespace ${namespace}`;
}
