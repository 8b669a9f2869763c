import type { ParticipatingNode } from '../../api/cluster-node.ts';
import { CONFIG_MAP_KEY } from '../../api/eraser-config/config-map.ts';
import type { EraserConfig } from '../../api/eraser-config.ts';
import {
  TOKEN_FILE,
  WORKER_PATHS,
  WORKER_VOLUMES,
  type EnvironmentVariable,
  type SecurityContext,
  type VolumeMount,
  type WorkerContainer,
  type WorkerKind,
} from '../../api/worker-pod.ts';
import type { Components, ResolvedContainer, ResolvedScanner, Resources } from './resolve-components.ts';

export interface WorkerContainersInput {
  readonly kind: WorkerKind;
  readonly jobUid: string;
  readonly node: ParticipatingNode;
  readonly components: Components;
  readonly manager: EraserConfig['manager'];
  /** How many configmaps the exclusions, and the images of a list, are in. */
  readonly parts: { readonly exclusions: number; readonly imageList: number };
  /** `https://eraser-coordinator.kube-system.svc:8443`. */
  readonly coordinatorUrl: string;
  /** How long the scan of all images may take. */
  readonly scanMs: number;
}

const CONFIG_ARGUMENT = `--config=${WORKER_PATHS.config}/${CONFIG_MAP_KEY}`;
const SCANNER_NAME = 'trivy-scanner';

export function makeWorkerContainers(input: WorkerContainersInput): WorkerContainer[] {
  const { kind, components, parts } = input;
  const isAutomatic = kind === 'automatic';
  // How many of each there are is said, so that one that is not where it should be is missed.
  const lists = [`--scanner=${components.scanner.kind}`, `--exclusions=${parts.exclusions}`];
  const remover = ownContainer(input, {
    name: 'remover',
    container: components.remover,
    args: [`--run=${kind}`, ...lists, ...(kind === 'manual' ? [`--image-list=${parts.imageList}`] : [])],
    mounts: [
      ...(isAutomatic ? [SHARED_DATA] : []),
      ...numbered('exclusions', parts.exclusions),
      ...(kind === 'manual' ? numbered('imageList', parts.imageList) : []),
    ],
  });
  if (!isAutomatic) return [remover];
  const collector = ownContainer(input, {
    name: 'collector',
    container: components.collector,
    args: lists,
    mounts: [SHARED_DATA, ...numbered('exclusions', parts.exclusions)],
  });
  return [collector, remover, ...scannerContainers(input, components.scanner)];
}

function scannerContainers(input: WorkerContainersInput, scanner: ResolvedScanner): WorkerContainer[] {
  switch (scanner.kind) {
    case 'off':
      return [];
    case 'trivy': {
      const mounts = [SHARED_DATA, ...hostMounts(scanner.volumes)];
      const { total, perImage } = scanner.timeout;
      // All that it would look for in the configuration, which takes a tenth of a second to read.
      const args = [`--scan-time=${Math.floor(Math.min(input.scanMs, total))}ms`, `--image-time=${Math.ceil(perImage)}ms`];
      return [ownContainer(input, { name: SCANNER_NAME, container: scanner.container, args, mounts })];
    }
    case 'custom':
      return [customScanner(input, scanner)];
  }
}

/**
 * As Eraser makes it: no security context, since such images count on writing to `/var/lib/trivy` and `/tmp`, and the socket itself. Neither the
 * coordinator's token nor its certificate: what is not ours has nothing to tell it.
 */
function customScanner({ manager, node }: WorkerContainersInput, scanner: ResolvedScanner & { readonly kind: 'custom' }): WorkerContainer {
  const { enabled, port } = manager.profile;
  return {
    name: SCANNER_NAME,
    image: scanner.image,
    args: [CONFIG_ARGUMENT, `--enable-pprof=${String(enabled)}`, `--pprof-port=${port}`],
    env: commonEnvironment(SCANNER_NAME, { manager, node }),
    resources: formatResources(scanner.resources),
    volumeMounts: [
      SHARED_DATA,
      CONFIG,
      { name: WORKER_VOLUMES.runtimeSocket, mountPath: WORKER_PATHS.runtimeSocket },
      ...hostMounts(scanner.volumes),
    ],
  };
}

interface OwnContainerInput {
  readonly name: string;
  readonly container: ResolvedContainer;
  readonly args: readonly string[];
  readonly mounts: readonly VolumeMount[];
}

/** The socket is root's, so they run as root; nothing else of root's power is left to them. */
const OWN_SECURITY_CONTEXT: SecurityContext = {
  runAsUser: 0,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

function ownContainer(input: WorkerContainersInput, { name, container, args, mounts }: OwnContainerInput): WorkerContainer {
  const { components, node, manager, jobUid, coordinatorUrl } = input;
  const socket = components.sockets[node.runtime];
  return {
    name,
    image: container.image,
    imagePullPolicy: 'IfNotPresent',
    command: container.command,
    args: [CONFIG_ARGUMENT, `--log-level=${manager.logLevel}`, ...args],
    env: [
      ...commonEnvironment(name, input),
      { name: 'JOB_UID', value: jobUid },
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
      { name: 'CONTAINER_RUNTIME_ENDPOINT', value: `unix://${WORKER_PATHS.runtimeFolder}/${socket.name}` },
      { name: 'COORDINATOR_URL', value: coordinatorUrl },
      { name: 'COORDINATOR_TOKEN_FILE', value: `${WORKER_PATHS.coordinatorToken}/${TOKEN_FILE}` },
      { name: 'COORDINATOR_CA_FOLDER', value: WORKER_PATHS.coordinatorCa },
      { name: 'TMPDIR', value: WORKER_PATHS.temporary },
    ],
    resources: formatResources(container.resources),
    securityContext: OWN_SECURITY_CONTEXT,
    volumeMounts: [...mounts, CONFIG, RUNTIME_FOLDER, TOKEN, CA, { name: temporaryVolume(name), mountPath: WORKER_PATHS.temporary }],
  };
}

/** Each of our containers has its own: what one of them unpacks is of no concern to the others. */
export function temporaryVolume(container: string): string {
  return `${WORKER_VOLUMES.temporary}-${container}`;
}

const SHARED_DATA: VolumeMount = { name: WORKER_VOLUMES.sharedData, mountPath: WORKER_PATHS.sharedData };
const CONFIG: VolumeMount = { name: WORKER_VOLUMES.config, mountPath: WORKER_PATHS.config, readOnly: true };
/** Sockets can be connected to on a read-only mount; files beside them cannot be written. */
const RUNTIME_FOLDER: VolumeMount = { name: WORKER_VOLUMES.runtimeFolder, mountPath: WORKER_PATHS.runtimeFolder, readOnly: true };
const TOKEN: VolumeMount = { name: WORKER_VOLUMES.coordinatorToken, mountPath: WORKER_PATHS.coordinatorToken, readOnly: true };
const CA: VolumeMount = { name: WORKER_VOLUMES.coordinatorCa, mountPath: WORKER_PATHS.coordinatorCa, readOnly: true };

function numbered(what: 'exclusions' | 'imageList', parts: number): VolumeMount[] {
  return Array.from({ length: parts }, (_, at) => ({
    name: `${WORKER_VOLUMES[what]}-${at}`,
    mountPath: `${WORKER_PATHS[what]}/${at}`,
    readOnly: true,
  }));
}

function hostMounts(volumes: (ResolvedScanner & { readonly kind: 'trivy' | 'custom' })['volumes']): VolumeMount[] {
  return volumes.map(({ name, hostPath }) => ({ name, mountPath: hostPath.path, readOnly: true }));
}

function commonEnvironment(service: string, { manager, node }: Pick<WorkerContainersInput, 'manager' | 'node'>): EnvironmentVariable[] {
  return [
    { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    { name: 'ERASER_RUNTIME_NAME', value: node.runtime },
    { name: 'CONTAINERD_NAMESPACE', value: 'k8s.io' },
    { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: manager.otlpEndpoint },
    { name: 'OTEL_SERVICE_NAME', value: service },
  ];
}

/** A request is always said, also of nothing: without one, Kubernetes takes the limit for it. */
function formatResources({ request, limit }: Resources): WorkerContainer['resources'] {
  const limits = { cpu: limit.cpu, memory: limit.mem };
  return {
    requests: { cpu: formatCpu(limit.cpu === 0 ? request.cpu : Math.min(request.cpu, limit.cpu)), memory: formatBytes(request.mem) },
    limits: {
      ...(limits.cpu === 0 ? {} : { cpu: formatCpu(limits.cpu) }),
      ...(limits.memory === 0 ? {} : { memory: formatBytes(limits.memory) }),
    },
  };
}

function formatCpu(processors: number): string {
  return processors === 0 ? '0' : `${Math.ceil(processors * 1000)}m`;
}

function formatBytes(bytes: number): string {
  return String(Math.ceil(bytes));
}
