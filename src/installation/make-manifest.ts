import { dirname } from 'node:path';
import { COORDINATOR } from '../api/coordinator/coordinator-objects.ts';
import { CONFIG_MAP_KEY, CONFIG_MAP_NAME } from '../api/eraser-config/config-map.ts';
import { EXCLUSION_LABEL, SYSTEM_EXCLUSION_NAME } from '../api/exclusion-config-map.ts';
import { HISTORY_FILE, historyAccess, historyFlags, type HistoryServer } from './history-server.ts';
import { HISTORY_CLAIM, makeExtras, type ExtraOptions } from './make-extras.ts';
import { HEALTH_PORT, LABELS, MANAGER } from './manager-names.ts';
import { makeRbac } from './make-rbac.ts';
import { SERVICE_ACCOUNTS } from './permissions.ts';

export { LABELS, MANAGER };

export interface ManifestOptions extends ExtraOptions {
  readonly namespace: string;
  /** The image of the manager, of collector and remover. */
  readonly image: string;
  /** The same with Trivy in it: of the scanner, and of Trivy's server. */
  readonly scannerImage: string;
  /** As text, in the form of `eraser.sh/v1alpha3`. */
  readonly configuration: string;
  /** Further flags of the manager. */
  readonly managerArgs?: readonly string[];
  /** Further flags of `trivy server`: mirrors of the database, for example. */
  readonly trivyArgs?: readonly string[];
  /** Where Trivy's server downloads the vulnerability database from, unless a flag says it; null or none: Trivy decides. */
  readonly trivyDatabaseRepository?: string | null;
  /** Where Trivy's server keeps it. */
  readonly trivyCache?: object;
  /** A server that keeps the history; null or none: it is a file. */
  readonly historyServer?: HistoryServer | null;
  /** Where its file is kept, unless `historyClaim` says it: for as long as the pod is on its node, when neither does. */
  readonly historyVolume?: object;
  readonly resources?: { readonly manager?: object; readonly trivy?: object };
  /** Of both containers of the manager's pod. */
  readonly pullPolicy?: string;
  /** The names of secrets, for the manager's pod and for worker pods. */
  readonly pullSecrets?: readonly string[];
  /** Of the manager's container, beside what it is denied in any case where this does not say otherwise. */
  readonly securityContext?: object;
  readonly pod?: ManagerPodOptions;
}

/** How the manager's pod is placed and labelled. */
export interface ManagerPodOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly priorityClassName?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly object[];
  readonly affinity?: object;
}

/** Of workers, where the configuration names none: below all that has no class, and never in the place of another pod. */
export const WORKER_PRIORITY_CLASS = 'eraser-imagejob-pods';
const CONFIG_FOLDER = '/config';

/** All objects but the definitions of the kinds, in the order in which they are to be made. */
export function makeManifest(options: ManifestOptions): object[] {
  const { namespace } = options;
  return [
    ...(namespace === 'kube-system' ? [] : [ownNamespace(namespace)]),
    ...makeRbac(namespace),
    {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: WORKER_PRIORITY_CLASS },
      value: -1000,
      preemptionPolicy: 'Never',
      description: 'The worker pods of Image Cleaner: everything else goes before them.',
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: CONFIG_MAP_NAME, namespace },
      data: { [CONFIG_MAP_KEY]: options.configuration },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: SYSTEM_EXCLUSION_NAME, namespace, labels: { [EXCLUSION_LABEL.name]: EXCLUSION_LABEL.value } },
      // Whoever runs the cluster for others may fill it before the manager first sees it: from then on, the manager puts changes back.
      data: { 'excluded.json': JSON.stringify({ excluded: [] }) },
    },
    coordinatorService(namespace),
    deployment(options),
    ...makeExtras(options),
  ];
}

/** Worker pods mount the folder of the container runtime's socket. */
function ownNamespace(name: string): object {
  const labels = Object.fromEntries(['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'privileged']));
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** Without a selector: the manager that leads says itself where it is. */
function coordinatorService(namespace: string): object {
  const { service: name, port, portName } = COORDINATOR;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: LABELS },
    spec: { ports: [{ name: portName, port, protocol: 'TCP', targetPort: port }] },
  };
}

/** What neither container needs: to be root, to write to its own files, or any power over the node. */
const RESTRICTED = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } };
const NOBODY = 65532;
/** What the two containers of the manager's pod get, unless told otherwise. */
export const DEFAULT_RESOURCES = {
  manager: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } },
  trivy: { requests: { cpu: '50m', memory: '256Mi' }, limits: { memory: '2Gi' } },
};

function deployment(options: ManifestOptions): object {
  const { namespace, trivyCache = { emptyDir: { sizeLimit: '4Gi' } }, pod = {}, pullSecrets = [] } = options;
  const selector = options.selector ?? { 'control-plane': LABELS['control-plane'] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: MANAGER, namespace, labels: LABELS },
    spec: {
      replicas: 1,
      // Its history can be opened by one.
      strategy: { type: 'Recreate' },
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: { ...pod.labels, ...LABELS, ...selector } },
        spec: {
          serviceAccountName: SERVICE_ACCOUNTS.manager,
          terminationGracePeriodSeconds: 20,
          ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
          ...(pod.priorityClassName === undefined ? {} : { priorityClassName: pod.priorityClassName }),
          nodeSelector: pod.nodeSelector ?? { 'kubernetes.io/os': 'linux' },
          ...(pod.tolerations === undefined ? {} : { tolerations: pod.tolerations }),
          ...(pod.affinity === undefined ? {} : { affinity: pod.affinity }),
          securityContext: { runAsNonRoot: true, runAsUser: NOBODY, fsGroup: NOBODY, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [manager(options), trivyServer(options)],
          volumes: [
            { name: 'manager-config', configMap: { name: CONFIG_MAP_NAME } },
            ...historyParts(options).volumes,
            { name: 'trivy-cache', ...trivyCache },
            { name: 'trivy-tmp', emptyDir: { sizeLimit: '4Gi' } },
          ],
        },
      },
    },
  };
}

/** What a history adds to the manager's pod. */
function historyParts(options: ManifestOptions): Readonly<Record<'flags', string[]> & Record<'volumes' | 'mounts', object[]>> {
  const { historyServer = null, historyClaim, historyVolume = { emptyDir: {} } } = options;
  if (historyServer !== null) {
    const access = historyAccess(historyServer);
    return {
      flags: historyFlags(historyServer),
      volumes: access === null ? [] : [access.volume],
      mounts: access === null ? [] : [access.mount],
    };
  }
  const source = historyClaim === undefined ? historyVolume : { persistentVolumeClaim: { claimName: HISTORY_CLAIM } };
  return {
    flags: [`--history=${HISTORY_FILE}`],
    volumes: [{ name: 'history', ...source }],
    mounts: [{ name: 'history', mountPath: dirname(HISTORY_FILE) }],
  };
}

function manager(options: ManifestOptions): object {
  const { image, scannerImage, managerArgs = [], pullSecrets = [], openshift = false } = options;
  const history = historyParts(options);
  const fieldOf = (name: string, fieldPath: string): object => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const probe = (path: string): object => ({ httpGet: { path, port: 'health' }, periodSeconds: 10 });
  return {
    name: 'manager',
    image,
    imagePullPolicy: options.pullPolicy ?? 'IfNotPresent',
    command: ['/usr/bin/controller'],
    args: [
      `--config=${CONFIG_FOLDER}/${CONFIG_MAP_KEY}`,
      `--worker-image=${image}`,
      `--scanner-image=${scannerImage}`,
      `--worker-priority-class=${WORKER_PRIORITY_CLASS}`,
      ...history.flags,
      // With another, SELinux keeps their containers from the runtime's socket.
      ...(openshift ? ['--worker-selinux-type=spc_t'] : []),
      ...managerArgs,
    ],
    env: [
      fieldOf('POD_NAME', 'metadata.name'),
      fieldOf('POD_NAMESPACE', 'metadata.namespace'),
      fieldOf('POD_IP', 'status.podIP'),
      ...(pullSecrets.length === 0 ? [] : [{ name: 'ERASER_PULL_SECRET_NAMES', value: pullSecrets.join(',') }]),
    ],
    ports: [
      { name: 'coordinator', containerPort: COORDINATOR.port },
      { name: 'health', containerPort: HEALTH_PORT },
    ],
    livenessProbe: { ...probe('/healthz'), initialDelaySeconds: 15, failureThreshold: 3 },
    readinessProbe: probe('/readyz'),
    resources: options.resources?.manager ?? DEFAULT_RESOURCES.manager,
    securityContext: { ...RESTRICTED, ...options.securityContext },
    volumeMounts: [{ name: 'manager-config', mountPath: CONFIG_FOLDER, readOnly: true }, ...history.mounts],
  };
}

/** On loopback: the manager's coordinator is the only way to it. */
function trivyServer(options: ManifestOptions): object {
  const { scannerImage, trivyArgs = [], trivyDatabaseRepository: repository = null, pullPolicy = 'IfNotPresent', resources } = options;
  return {
    name: 'trivy-server',
    image: scannerImage,
    imagePullPolicy: pullPolicy,
    command: ['/usr/bin/trivy'],
    args: [
      'server',
      '--listen=127.0.0.1:4954',
      '--cache-dir=/var/lib/trivy',
      // What it is told of images must not fill the pod's disk, for then all of the pod would go: it only restarts.
      '--cache-backend=memory',
      '--no-progress',
      ...trivyArgs,
    ],
    // No flag: what is among the flags was given by an operator, and goes before it.
    env: [{ name: 'TMPDIR', value: '/tmp' }, ...(repository === null ? [] : [{ name: 'TRIVY_DB_REPOSITORY', value: repository }])],
    resources: resources?.trivy ?? DEFAULT_RESOURCES.trivy,
    securityContext: RESTRICTED,
    volumeMounts: [
      { name: 'trivy-cache', mountPath: '/var/lib/trivy' },
      { name: 'trivy-tmp', mountPath: '/tmp' },
    ],
  };
}
