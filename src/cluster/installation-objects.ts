import { CONFIG_MAP_NAME } from '../api/eraser-config/config-map.ts';
import { SYSTEM_EXCLUSION_NAME } from '../api/exclusion-config-map.ts';
import { makeDefinitions } from '../installation/make-definitions.ts';
import { makeManifest } from '../installation/make-manifest.ts';
import { kubeObjectSchema, type KubeObject } from '../kube/kube-object.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  DEFINITIONS,
  DEPLOYMENTS,
  NAMESPACES,
  PRIORITY_CLASSES,
  ROLE_BINDINGS,
  ROLES,
  SERVICE_ACCOUNTS,
  SERVICES,
  type ObjectReference,
  type Resource,
} from '../kube/resource.ts';
import { databaseRepositoryOf } from './database-repository.ts';
import type { InstallationSettings } from './installed-settings.ts';

/** An object of an installation, and where it is. */
export interface InstallationObject {
  readonly reference: ObjectReference;
  readonly object: KubeObject;
  /** `configuration`: only what was asked for is changed in it. `users`: once it is there, it is its users'. */
  readonly care: 'ours' | 'configuration' | 'users';
}

const RESOURCES: Readonly<Record<string, Resource>> = {
  CustomResourceDefinition: DEFINITIONS,
  Namespace: NAMESPACES,
  ServiceAccount: SERVICE_ACCOUNTS,
  ClusterRole: CLUSTER_ROLES,
  ClusterRoleBinding: CLUSTER_ROLE_BINDINGS,
  Role: ROLES,
  RoleBinding: ROLE_BINDINGS,
  PriorityClass: PRIORITY_CLASSES,
  ConfigMap: CONFIG_MAPS,
  Service: SERVICES,
  Deployment: DEPLOYMENTS,
};

const CARE: Readonly<Record<string, InstallationObject['care']>> = {
  [`ConfigMap ${CONFIG_MAP_NAME}`]: 'configuration',
  [`ConfigMap ${SYSTEM_EXCLUSION_NAME}`]: 'users',
};

/** On a namespace that was made for the installation, and may go with it. */
export const MADE_BY_US = { name: 'app.kubernetes.io/managed-by', value: 'image-cleaner' } as const;

/** All of an installation, in the order in which they are to be made. */
export function installationObjects(namespace: string, settings: InstallationSettings, configuration: string): InstallationObject[] {
  const { trivyCacheHostPath: path, ...others } = settings;
  const trivyCache = path === null ? {} : { trivyCache: { hostPath: { path, type: 'Directory' } } };
  const trivyDatabaseRepository = databaseRepositoryOf(configuration);
  return [...makeDefinitions(), ...makeManifest({ namespace, configuration, trivyDatabaseRepository, ...others, ...trivyCache })].map(
    installationObject,
  );
}

function installationObject(made: object): InstallationObject {
  const object = kubeObjectSchema.parse(made);
  const { kind = '', metadata } = object;
  const resource = RESOURCES[kind];
  if (resource === undefined) throw new Error(`no resource is known for the kind ${kind}`);
  const { name, namespace } = metadata;
  return {
    reference: { resource, name, ...(namespace === undefined ? {} : { namespace }) },
    object: kind === 'Namespace' ? withLabel(object) : object,
    care: CARE[`${kind} ${name}`] ?? 'ours',
  };
}

function withLabel(namespace: KubeObject): KubeObject {
  const labels = namespace.metadata['labels'] as Readonly<Record<string, string>>;
  return { ...namespace, metadata: { ...namespace.metadata, labels: { ...labels, [MADE_BY_US.name]: MADE_BY_US.value } } };
}

/** `Deployment eraser-system/eraser-controller-manager`. */
export function describeObject({ kind = '', metadata: { name, namespace } }: KubeObject): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}
