import { MANAGER_PERMISSIONS, type Permission, type Scope, SERVICE_ACCOUNTS, WORKER_PERMISSIONS } from './permissions.ts';

const RBAC = 'rbac.authorization.k8s.io';
/** As Eraser names it. */
const ROLE = 'eraser-manager-role';

/** The service accounts, the roles and their bindings, for a manager in this namespace. */
export function makeRbac(namespace: string): object[] {
  if (WORKER_PERMISSIONS.length > 0) throw new Error('worker pods have no rights');
  const account = (name: string, automount: boolean): object => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace },
    automountServiceAccountToken: automount,
  });
  const places: readonly (readonly [Scope, string | null])[] = [
    ['cluster', null],
    ['own-namespace', namespace],
    ['default-namespace', 'default'],
  ];
  return [
    account(SERVICE_ACCOUNTS.manager, true),
    account(SERVICE_ACCOUNTS.workers, false),
    ...places.flatMap(([scope, place]) => roleAndBinding(scope, place, namespace)),
  ];
}

function roleAndBinding(scope: Scope, place: string | null, namespace: string): object[] {
  const kind = place === null ? 'ClusterRole' : 'Role';
  // In the namespace "default" the two roles would have one name.
  const name = scope === 'default-namespace' ? `${ROLE}-events` : ROLE;
  const metadata = { name, ...(place === null ? {} : { namespace: place }) };
  return [
    { apiVersion: `${RBAC}/v1`, kind, metadata, rules: MANAGER_PERMISSIONS.filter((permission) => permission.scope === scope).map(ruleOf) },
    {
      apiVersion: `${RBAC}/v1`,
      kind: `${kind}Binding`,
      metadata: { ...metadata, name: `${name}binding` },
      roleRef: { apiGroup: RBAC, kind, name },
      subjects: [{ kind: 'ServiceAccount', name: SERVICE_ACCOUNTS.manager, namespace }],
    },
  ];
}

function ruleOf(permission: Permission): object {
  if ('path' in permission) return { nonResourceURLs: [permission.path], verbs: Object.keys(permission.verbs) };
  const { apiGroup, resource, resourceNames, verbs } = permission;
  return {
    apiGroups: [apiGroup],
    resources: [resource],
    ...(resourceNames === undefined ? {} : { resourceNames }),
    verbs: Object.keys(verbs),
  };
}
