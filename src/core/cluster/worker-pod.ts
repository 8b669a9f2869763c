import type { ParticipatingNode } from '../../api/cluster-node.ts';
import { API_GROUP } from '../../api/custom-resource.ts';
import type { EraserConfig, HostVolume } from '../../api/eraser-config.ts';
import {
  JOB_UID_LABEL,
  TOKEN_FILE,
  WORKER_VOLUMES,
  type NodeAffinity,
  type WorkerContainer,
  type WorkerKind,
  type WorkerPod,
  type WorkerVolume,
} from '../../api/worker-pod.ts';
import type { Components } from './resolve-components.ts';
import { makeWorkerContainers, temporaryVolume } from './worker-containers.ts';

export { JOB_UID_LABEL };

export interface WorkerPodInput {
  readonly name: string;
  /** The ImageJob that the pod is a part of, and goes with. */
  readonly job: { readonly name: string; readonly uid: string };
  readonly run: 'automatic' | 'manual';
  readonly node: ParticipatingNode;
  readonly manager: EraserConfig['manager'];
  readonly components: Components;
  readonly frame: WorkerFrame;
  /** That it is begun with in; null: its run has no pauses. */
  readonly wave?: number | null;
}

/** What all worker pods of a run have alike. */
export interface WorkerFrame {
  readonly namespace: string;
  /** Ours, of low priority, for where the configuration names none; null: the cluster has it not. */
  readonly priorityClassName: string | null;
  /** The SELinux type of its containers; null: the runtime's choice. */
  readonly seLinuxType: string | null;
  /** Beside those of the configuration. */
  readonly pullSecrets: readonly string[];
  /** The names of the configmaps that the run has frozen. */
  readonly configMaps: {
    readonly config: string;
    readonly exclusions: readonly string[];
    /** Empty in an automatic run. */
    readonly imageList: readonly string[];
  };
  readonly coordinator: { readonly url: string; readonly audience: string; readonly caConfigMap: string };
  /** What Trivy may unpack of an image at once. */
  readonly scannerTemporaryBytes: number;
  /** How long its containers may run: then the controller ends it. */
  readonly runMs: number;
  /** The kubelet then ends the pod, should no controller be there to do it. */
  readonly deadlineMs: number;
}

/** Without any right; the coordinator knows worker pods by it. */
export const WORKER_SERVICE_ACCOUNT = 'eraser-imagejob-pods';
export const WORKER_TYPE_LABEL = 'eraser.sh/type';
/** Of a run with pauses: until a record is written, it alone says which wave a node is of. */
export const WAVE_LABEL = 'eraser.sh/wave';

/** A priority class that every cluster has. The kubelet admits its pods under disk pressure too (`IsCriticalPod`). */
const NODE_CRITICAL = 'system-node-critical';

/** The least that the API server takes; the kubelet renews it. */
const TOKEN_SECONDS = 600;
/** Of the time that a pod has: what is not scanned by then stays, and the rest is for the removals. */
const SCAN_SHARE = 0.75;
/** Collector and remover write next to nothing. */
const SMALL_TEMPORARY_BYTES = 64 * 1024 * 1024;

export function workerKindOf(run: 'automatic' | 'manual', node: ParticipatingNode): WorkerKind {
  if (run === 'manual') return 'manual';
  return node.isUnderDiskPressure ? 'remover-only' : 'automatic';
}

/** The whole worker pod of a run on a node. */
export function makeWorkerPod({ name, job, run, node, manager, components, frame, wave = null }: WorkerPodInput): WorkerPod {
  const kind = workerKindOf(run, node);
  const { exclusions, imageList } = frame.configMaps;
  const containers = makeWorkerContainers({
    kind,
    jobUid: job.uid,
    node,
    components,
    manager,
    parts: { exclusions: exclusions.length, imageList: imageList.length },
    coordinatorUrl: frame.coordinator.url,
    scanMs: frame.runMs * SCAN_SHARE,
  });
  const priorityClassName = node.isUnderDiskPressure ? NODE_CRITICAL : manager.priorityClassName || frame.priorityClassName;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: frame.namespace,
      labels: {
        ...manager.additionalPodLabels,
        [WORKER_TYPE_LABEL]: run === 'manual' ? 'manual' : 'collector',
        [JOB_UID_LABEL]: job.uid,
        ...(wave === null ? {} : { [WAVE_LABEL]: String(wave) }),
      },
      ownerReferences: [{ apiVersion: `${API_GROUP}/v1`, kind: 'ImageJob', ...job, controller: true }],
    },
    spec: {
      restartPolicy: 'Never',
      serviceAccountName: WORKER_SERVICE_ACCOUNT,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      activeDeadlineSeconds: Math.ceil(frame.deadlineMs / 1000),
      ...(priorityClassName === null ? {} : { priorityClassName }),
      imagePullSecrets: [...new Set([...manager.pullSecrets, ...frame.pullSecrets])].map((secret) => ({ name: secret })),
      tolerations: [{ operator: 'Exists' }],
      affinity: onNode(node.name),
      ...(frame.seLinuxType === null ? {} : { securityContext: { seLinuxOptions: { type: frame.seLinuxType } } }),
      containers,
      volumes: usedVolumes(allVolumes({ node, components, frame }), containers),
    },
  };
}

function onNode(name: string): NodeAffinity {
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] } as const;
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } } };
}

function allVolumes({ node, components, frame }: Pick<WorkerPodInput, 'node' | 'components' | 'frame'>): WorkerVolume[] {
  const { configMaps, coordinator, scannerTemporaryBytes } = frame;
  const { folder, name } = components.sockets[node.runtime];
  const { scanner } = components;
  const serviceAccountToken = { audience: coordinator.audience, expirationSeconds: TOKEN_SECONDS, path: TOKEN_FILE };
  return [
    { name: WORKER_VOLUMES.sharedData, emptyDir: {} },
    { name: WORKER_VOLUMES.config, configMap: { name: configMaps.config } },
    // The types keep the runtime from making an empty folder where there is no socket.
    { name: WORKER_VOLUMES.runtimeFolder, hostPath: { path: folder, type: 'Directory' } },
    { name: WORKER_VOLUMES.runtimeSocket, hostPath: { path: `${folder}/${name}`, type: 'Socket' } },
    { name: WORKER_VOLUMES.coordinatorToken, projected: { sources: [{ serviceAccountToken }] } },
    { name: WORKER_VOLUMES.coordinatorCa, configMap: { name: coordinator.caConfigMap } },
    ...numbered(WORKER_VOLUMES.exclusions, configMaps.exclusions),
    ...numbered(WORKER_VOLUMES.imageList, configMaps.imageList),
    temporary('collector', SMALL_TEMPORARY_BYTES),
    temporary('remover', SMALL_TEMPORARY_BYTES),
    temporary('trivy-scanner', scannerTemporaryBytes),
    ...(scanner.kind === 'off' ? [] : scanner.volumes.map(hostVolume)),
  ];
}

function numbered(volume: string, configMaps: readonly string[]): WorkerVolume[] {
  return configMaps.map((name, at) => ({ name: `${volume}-${at}`, configMap: { name } }));
}

function temporary(container: string, bytes: number): WorkerVolume {
  return { name: temporaryVolume(container), emptyDir: { sizeLimit: String(bytes) } };
}

function hostVolume({ name, hostPath: { path, type } }: HostVolume): WorkerVolume {
  return { name, hostPath: { path, ...(type === undefined ? {} : { type }) } };
}

function usedVolumes(volumes: readonly WorkerVolume[], containers: readonly WorkerContainer[]): WorkerVolume[] {
  const used = new Set(containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name)));
  return volumes.filter(({ name }) => used.has(name));
}
